package platform

import (
	"encoding/json"
	"fmt"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Who a row is from, as clients read it.
const (
	sourcePerson = "canvas_user" // a person or a schedule
	sourcePeer   = "peer_agent"
)

// replyName is what stands for the schedules and the people.
const replyName = "operator"

// row is one activity. It holds the same things in every place where some client
// reads them.
type row struct {
	ID           string   `json:"id"`
	Type         string   `json:"type"`
	ActivityType string   `json:"activity_type"`
	WorkspaceID  string   `json:"workspace_id"`
	SourceID     *string  `json:"source_id"`
	TargetID     *string  `json:"target_id"`
	Method       string   `json:"method"`
	Summary      string   `json:"summary"`
	Status       string   `json:"status"`
	CreatedAt    string   `json:"created_at"`
	Data         rowData  `json:"data"`
	RequestBody  *request `json:"request_body"`
}

type rowData struct {
	Source       *string `json:"source"`
	Text         string  `json:"text"`
	SourceID     *string `json:"source_id"`
	PeerName     *string `json:"peer_name"`
	PeerRole     *string `json:"peer_role"`
	AgentCardURL *string `json:"agent_card_url"`
}

type request struct {
	JSONRPC string `json:"jsonrpc"`
	ID      string `json:"id"`
	Method  string `json:"method"`
	Params  struct {
		Message message `json:"message"`
	} `json:"params"`
}

// rows writes activities; peers are looked up once each.
func (f *Face) rows(c call, all []molecule.Activity) ([]row, error) {
	peers := map[string]molecule.Agent{}
	out := make([]row, len(all))
	for i, a := range all {
		var peer molecule.Agent
		if isPeer := a.Type == molecule.ActivityReceive && a.SourceID != "" && a.SourceID != f.Inbox.ReplyAddress(); isPeer {
			var known bool
			if peer, known = peers[a.SourceID]; !known {
				var err error
				peer, err = f.Directory.Member(c.Context(), a.SourceID)
				if err != nil && molecule.CodeOf(err) != molecule.NotFound {
					return nil, err
				}
				peers[a.SourceID] = peer
			}
		}
		written, err := f.row(a, peer)
		if err != nil {
			return nil, err
		}
		out[i] = written
	}
	return out, nil
}

// row writes one activity; peer is who sent it, if that was an agent.
func (f *Face) row(a molecule.Activity, peer molecule.Agent) (row, error) {
	r := row{
		ID: a.ID, Type: string(a.Type), ActivityType: string(a.Type), WorkspaceID: a.AgentID,
		SourceID: orNull(a.SourceID), TargetID: orNull(a.TargetID), Method: a.Method, Summary: a.Summary, Status: a.Status,
		CreatedAt: stamp(a.CreatedAt), Data: rowData{Text: a.Summary, SourceID: orNull(a.SourceID)},
	}
	if a.Type != molecule.ActivityReceive {
		return r, nil
	}
	said := message{Role: "user", MessageID: a.MessageID, Parts: []part{{Kind: "text", Type: "text", Text: a.Text}}}
	if a.RunID == "" {
		said = message{}
		if err := json.Unmarshal(a.Message, &said); err != nil {
			return row{}, fmt.Errorf("activity %s: its message: %w", a.ID, err)
		}
	}
	source := sourcePerson
	if a.SourceID != "" && a.SourceID != f.Inbox.ReplyAddress() {
		source = sourcePeer
		r.Data.PeerName, r.Data.PeerRole, r.Data.AgentCardURL = orNull(peer.Name), orNull(peer.Role), orNull(cardURL(peer))
	}
	r.Data.Source, r.Data.Text = &source, said.text()
	r.RequestBody = &request{JSONRPC: "2.0", ID: a.ID, Method: methodSend}
	r.RequestBody.Params.Message = said
	return r, nil
}
