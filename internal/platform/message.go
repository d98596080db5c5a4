package platform

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// methodSend is the one method that is passed on, in the two spellings of A2A.
const (
	methodSend  = "message/send"
	methodSend1 = "SendMessage"
)

// part is a piece of a message. Some clients read kind, others type.
type part struct {
	Kind string          `json:"kind"`
	Type string          `json:"type"`
	Text string          `json:"text,omitempty"`
	Data json.RawMessage `json:"data,omitempty"`
	File json.RawMessage `json:"file,omitempty"`
}

// textPart is a part in the only form that every client reads.
type textPart struct {
	Kind string `json:"kind"`
	Type string `json:"type"`
	Text string `json:"text"`
}

// named fills in what a part is called, from what it holds if it does not say.
func (p part) named() part {
	kind := p.Kind
	switch {
	case kind != "":
	case p.Type != "":
		kind = p.Type
	case len(p.Data) > 0:
		kind = "data"
	case len(p.File) > 0:
		kind = "file"
	default:
		kind = "text"
	}
	p.Kind, p.Type = kind, kind
	return p
}

// MarshalJSON writes text also when it is empty, in a text part.
func (p part) MarshalJSON() ([]byte, error) {
	if len(p.Data) == 0 && len(p.File) == 0 {
		return compact(textPart{p.Kind, p.Type, p.Text})
	}
	type plain part
	return compact(plain(p))
}

// message is what one workspace says to another.
type message struct {
	Role             string          `json:"role"`
	MessageID        string          `json:"messageId"`
	Parts            []part          `json:"parts"`
	ContextID        string          `json:"contextId,omitempty"`
	TaskID           string          `json:"taskId,omitempty"`
	ReferenceTaskIDs []string        `json:"referenceTaskIds,omitempty"`
	Metadata         json.RawMessage `json:"metadata,omitempty"`
}

// envelope is a JSON-RPC request. The members of a lone message are beside it,
// for senders who leave the envelope out.
type envelope struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
	Message json.RawMessage `json:"message"`
	Parts   json.RawMessage `json:"parts"`
}

// asked is a request to send a message, with everything that was missing.
type asked struct {
	id      json.RawMessage // of the envelope
	message message
	raw     json.RawMessage // the whole request as it is passed on
	usage   json.RawMessage // what the sender says the message cost, if it does
}

// readMessage reads the body of a request to send a message: with its envelope,
// its params alone, or the message alone.
func readMessage(raw []byte) (asked, error) {
	var e envelope
	if err := parse(raw, &e); err != nil {
		return asked{}, err
	}
	if e.Method != "" && e.Method != methodSend && e.Method != methodSend1 {
		return asked{}, molecule.Errorf(molecule.Invalid, "method %q is not passed on, only %s is", molecule.Excerpt(e.Method, 60), methodSend)
	}
	var err error
	params := map[string]json.RawMessage{}
	switch {
	case len(e.Params) > 0:
		err = parse(e.Params, &params)
	case len(e.Message) > 0:
		params["message"] = e.Message
	case len(e.Parts) > 0:
		params["message"] = raw
	}
	if err != nil {
		return asked{}, err
	}
	a := asked{id: e.ID, usage: params["usage"]}
	if len(params["message"]) == 0 {
		return asked{}, molecule.Errorf(molecule.Invalid, "there is no message")
	}
	if err := a.fill(params); err != nil {
		return asked{}, err
	}
	return a, nil
}

// fill reads the message of params and writes the request anew.
func (a *asked) fill(params map[string]json.RawMessage) error {
	if err := parse(params["message"], &a.message); err != nil {
		return err
	}
	if len(a.message.Parts) == 0 {
		return molecule.Errorf(molecule.Invalid, "the message has no parts")
	}
	for i, p := range a.message.Parts {
		a.message.Parts[i] = p.named()
	}
	if a.message.MessageID == "" {
		a.message.MessageID = uuid.NewString()
	}
	if a.message.Role = strings.ToLower(strings.TrimPrefix(a.message.Role, "ROLE_")); a.message.Role != "agent" {
		a.message.Role = "user"
	}
	if len(a.id) == 0 || bytes.Equal(a.id, []byte("null")) {
		a.id, _ = json.Marshal(uuid.NewString()) // a text always encodes
	}
	whole, err := completed(params["message"], a.message)
	if err != nil {
		return err
	}
	params["message"] = whole
	a.raw, err = compact(map[string]any{"jsonrpc": "2.0", "id": a.id, "method": methodSend, "params": params})
	return err
}

// completed returns a message as it was sent, with what receivers of A2A 0.3 need
// and with all else it held.
func completed(raw json.RawMessage, m message) (json.RawMessage, error) {
	whole := map[string]any{}
	var parts struct {
		Parts []map[string]any `json:"parts"`
	}
	if err := exactly(raw, &whole); err != nil {
		return nil, err
	}
	if err := exactly(raw, &parts); err != nil {
		return nil, err
	}
	for i, p := range parts.Parts {
		if p == nil {
			return nil, molecule.Errorf(molecule.Invalid, "part %d of the message is no object", i+1)
		}
		p["kind"] = m.Parts[i].Kind
	}
	whole["kind"], whole["role"], whole["messageId"], whole["parts"] = "message", m.Role, m.MessageID, parts.Parts
	return compact(whole)
}

// exactly reads JSON that was read before, and leaves its numbers as they are
// written.
func exactly(raw []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return dec.Decode(v)
}

// names returns what a reply may call the run by that it is to: wherever clients
// put such a thing.
func (a asked) names() []string {
	var id string
	_ = json.Unmarshal(a.id, &id) // a number is no name of ours
	all := append([]string{id, a.message.TaskID, a.message.ContextID}, a.message.ReferenceTaskIDs...)
	return append(all, namesIn(a.message.Metadata)...)
}

// references are the members by which a reply may name what it is to.
type references struct {
	InReplyTo   string `json:"in_reply_to"`
	InReplyTo2  string `json:"inReplyTo"`
	ReplyTo     string `json:"reply_to"`
	ActivityID  string `json:"activity_id"`
	ActivityID2 string `json:"activityId"`
	RunID       string `json:"run_id"`
	RunID2      string `json:"runId"`
	MessageID   string `json:"message_id"`
}

// all returns the references that are there.
func (r references) all() []string {
	all := []string{r.InReplyTo, r.InReplyTo2, r.ReplyTo, r.ActivityID, r.ActivityID2, r.RunID, r.RunID2, r.MessageID}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// namesIn returns the references that an object holds; none when it is no object.
func namesIn(raw json.RawMessage) []string {
	var r references
	_ = json.Unmarshal(raw, &r) // what is not a text names nothing
	return r.all()
}

// answer returns the message as the reply of an agent.
func (a asked) answer() molecule.Answer {
	var out molecule.Answer
	for _, p := range a.message.Parts {
		switch {
		case p.Text != "":
			out.Parts = append(out.Parts, molecule.Part{Text: p.Text})
		case len(p.Data) > 0:
			out.Parts = append(out.Parts, molecule.Part{Data: object(p.Data)})
		case len(p.File) > 0:
			out.Parts = append(out.Parts, molecule.Part{File: "file"})
		}
	}
	out.Usage = usageOf(a.message.Metadata, a.usage)
	return out
}

// object returns JSON as an object; what is none is its member value.
func object(raw json.RawMessage) map[string]any {
	var v any
	_ = json.Unmarshal(raw, &v) // it was read as JSON before
	if m, ok := v.(map[string]any); ok {
		return m
	}
	if v == nil {
		return nil
	}
	return map[string]any{"value": v}
}

// usageOf reads what was spent: a member usage of the metadata, or a usage of its
// own. A number that is not there stays unknown.
func usageOf(metadata, own json.RawMessage) *molecule.Usage {
	var holder struct {
		Usage *molecule.Usage `json:"usage"`
	}
	_ = json.Unmarshal(metadata, &holder) // nothing readable is nothing reported
	if holder.Usage == nil && len(own) > 0 {
		_ = json.Unmarshal(own, &holder.Usage)
	}
	if u := holder.Usage; u == nil || *u == (molecule.Usage{}) {
		return nil
	}
	return holder.Usage
}

// text returns what the message says.
func (m message) text() string {
	var said []string
	for _, p := range m.Parts {
		if p.Text != "" {
			said = append(said, p.Text)
		}
	}
	return strings.Join(said, "\n")
}
