package platform

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// remoteScheme is how the URL of an agent begins that nobody can call.
const remoteScheme = "remote://"

type registerBody struct {
	ID           string          `json:"id"`
	WorkspaceID  string          `json:"workspace_id"`
	URL          string          `json:"url"`
	AgentCard    json.RawMessage `json:"agent_card"`
	DeliveryMode string          `json:"delivery_mode"`
}

// registration is what a body asks for.
func (b registerBody) registration() (molecule.Registration, error) {
	id := b.ID
	if id == "" {
		id = b.WorkspaceID
	}
	in := molecule.Registration{AgentID: strings.ToLower(id), Kind: molecule.AgentKind(b.DeliveryMode), URL: b.URL, Card: b.AgentCard}
	switch {
	case id == "":
		return in, molecule.Errorf(molecule.Invalid, "id is required")
	case len(b.AgentCard) == 0:
		return in, molecule.Errorf(molecule.Invalid, "agent_card is required")
	case b.DeliveryMode != "" && in.Kind != molecule.AgentPush && in.Kind != molecule.AgentPoll:
		return in, molecule.Errorf(molecule.Invalid, "delivery_mode must be push or poll")
	case strings.HasPrefix(b.URL, remoteScheme), b.URL == "" && in.Kind == molecule.AgentPoll:
		in.Kind, in.URL = molecule.AgentPoll, ""
	case b.URL == "":
		return in, molecule.Errorf(molecule.Invalid, "url is required unless delivery_mode is poll")
	case in.Kind == "":
		in.Kind = molecule.AgentPush
	case in.Kind == molecule.AgentPoll:
		in.URL = "" // whoever asks is not called
	}
	return in, nil
}

func (f *Face) register(w http.ResponseWriter, c call) error {
	var body registerBody
	if err := read(w, c, maxBody, &body); err != nil {
		return err
	}
	in, err := body.registration()
	if err != nil {
		return err
	}
	token, err := f.Directory.Register(c.Context(), in)
	if err != nil {
		if molecule.CodeOf(err) == molecule.Conflict { // a client knows 400 and 401 of this row
			return refused{status: http.StatusBadRequest, err: molecule.Errorf(molecule.Conflict, "another workspace has that name").WithCause(err)}
		}
		return err
	}
	answer := struct {
		Status    string          `json:"status"`
		AuthToken *molecule.Shown `json:"auth_token,omitempty"`
	}{Status: "registered"}
	if !token.IsZero() { // it came, though not yet with a token of its own
		f.Watch.Heard(c.accepted, in.AgentID, molecule.RequestRegister)
		shown := molecule.Show(token)
		answer.AuthToken = &shown
	}
	return write(w, http.StatusOK, answer)
}

type heartbeatBody struct {
	WorkspaceID    string            `json:"workspace_id"`
	ErrorRate      number            `json:"error_rate"`
	SampleError    string            `json:"sample_error"`
	ActiveTasks    number            `json:"active_tasks"`
	UptimeSeconds  number            `json:"uptime_seconds"`
	CurrentTask    string            `json:"current_task"`
	RuntimeState   string            `json:"runtime_state"`
	BusyUntil      string            `json:"busy_until"`
	SecretVersions map[string]number `json:"secret_versions"` // read, so that a wrong one is refused; nobody needs it yet
}

// vitals is what a body says of its agent.
func (b heartbeatBody) vitals(now time.Time) (molecule.Vitals, error) {
	said := molecule.Vitals{
		ErrorRate: float64(b.ErrorRate), SampleError: b.SampleError,
		ActiveTasks: int(b.ActiveTasks.whole()), UptimeSeconds: b.UptimeSeconds.whole(),
		CurrentTask: b.CurrentTask, RuntimeState: b.RuntimeState,
	}
	if b.BusyUntil != "" {
		var err error
		if said.BusyUntil, err = time.Parse(time.RFC3339, b.BusyUntil); err != nil {
			return said, molecule.Errorf(molecule.Invalid, "busy_until must be an instant such as 2026-12-01T08:00:00Z")
		}
	}
	return said.Bounded(now), nil
}

func (f *Face) heartbeat(w http.ResponseWriter, c call) error {
	var body heartbeatBody
	if err := read(w, c, maxBody, &body); err != nil {
		return err
	}
	id, err := onBehalf(c, "workspace_id", body.WorkspaceID, molecule.ScopeAgentsWrite)
	if err != nil {
		return err
	}
	said, err := body.vitals(molecule.Now())
	if err != nil {
		return err
	}
	if c.by.AgentID == "" { // an operator may name anybody
		if _, err := f.present(c, id); err != nil {
			return err
		}
	}
	return write(w, http.StatusOK, struct {
		Status string `json:"status"`
		Next   int    `json:"next_heartbeat_seconds"`
	}{"ok", f.Watch.Heartbeat(c.accepted, id, said)})
}

type cardBody struct {
	WorkspaceID string          `json:"workspace_id"`
	AgentCard   json.RawMessage `json:"agent_card"`
}

func (f *Face) updateCard(w http.ResponseWriter, c call) error {
	var body cardBody
	if err := read(w, c, maxBody, &body); err != nil {
		return err
	}
	id, err := onBehalf(c, "workspace_id", body.WorkspaceID, molecule.ScopeAgentsWrite)
	if err != nil {
		return err
	}
	if len(body.AgentCard) == 0 {
		return molecule.Errorf(molecule.Invalid, "agent_card is required")
	}
	if _, err := f.present(c, id); err != nil {
		return err
	}
	if err := f.Directory.SetCard(c.Context(), id, body.AgentCard); err != nil {
		return err
	}
	return write(w, http.StatusOK, status("updated"))
}

// status is the answer that says no more than what was done.
func status(done string) any {
	return struct {
		Status string `json:"status"`
	}{done}
}

// onBehalf returns the id that a member of a body names, when the caller may act
// for it.
func onBehalf(c call, member, id string, s molecule.Scope) (string, error) {
	if id == "" {
		return "", molecule.Errorf(molecule.Invalid, "%s is required", member)
	}
	id = strings.ToLower(id)
	return id, mayActFor(c, id, s)
}

func (f *Face) discover(w http.ResponseWriter, c call) error {
	type found struct {
		ID   string `json:"id"`
		URL  string `json:"url"`
		Name string `json:"name"`
	}
	if c.id == f.Inbox.ReplyAddress() {
		return write(w, http.StatusOK, found{ID: c.id, Name: replyName})
	}
	a, err := f.present(c, c.id)
	if err != nil {
		return err
	}
	if err := f.mayTalk(c, strings.ToLower(c.Header.Get(wire.HeaderWorkspace)), a.ID); err != nil {
		return err
	}
	if s := statusOf(a); s == "offline" || s == "paused" {
		return notThere(s)
	}
	return write(w, http.StatusOK, found{a.ID, a.URL, a.Name})
}

// notThere is the answer for an agent that cannot be reached now.
func notThere(status string) error {
	r := refuse(http.StatusServiceUnavailable, "workspace is %s", status)
	r.body = struct {
		Error  string `json:"error"`
		Status string `json:"status"`
	}{r.err.Message, status}
	return r
}

func (f *Face) peers(w http.ResponseWriter, c call) error {
	if _, err := f.present(c, c.id); err != nil {
		return err
	}
	all, err := f.Directory.Peers(c.Context(), c.id)
	if err != nil {
		return err
	}
	views := make([]peerView, len(all))
	for i, a := range all {
		views[i] = viewPeer(a)
	}
	return write(w, http.StatusOK, views)
}

type accessBody struct {
	CallerID string `json:"caller_id"`
	TargetID string `json:"target_id"`
}

func (f *Face) checkAccess(w http.ResponseWriter, c call) error {
	var body accessBody
	if err := read(w, c, maxBody, &body); err != nil {
		return err
	}
	caller, err := onBehalf(c, "caller_id", body.CallerID, molecule.ScopeAgentsRead)
	if err != nil {
		return err
	}
	if body.TargetID == "" {
		return molecule.Errorf(molecule.Invalid, "target_id is required")
	}
	err = f.mayTalk(c, caller, strings.ToLower(body.TargetID))
	switch molecule.CodeOf(err) {
	case molecule.Forbidden, molecule.NotFound:
		return write(w, http.StatusOK, allowed{false})
	}
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, allowed{true})
}

type allowed struct {
	Allowed bool `json:"allowed"`
}

// present returns the agent with an id that was not removed.
func (f *Face) present(c call, id string) (molecule.Agent, error) {
	if !molecule.IsID(id) {
		return molecule.Agent{}, notFound()
	}
	a, err := f.Directory.Member(c.Context(), id)
	if molecule.CodeOf(err) == molecule.NotFound || err == nil && !a.RemovedAt.IsZero() {
		return a, notFound()
	}
	return a, err
}

func notFound() error { return molecule.Errorf(molecule.NotFound, "workspace not found") }

// mayTalk refuses two agents that may not talk to each other. Everybody may talk
// to who stands for the people.
func (f *Face) mayTalk(c call, one, two string) error {
	if two == f.Inbox.ReplyAddress() {
		return nil
	}
	var lines [2]molecule.Lineage
	for i, id := range []string{one, two} {
		a, err := f.present(c, id)
		if err != nil {
			return err
		}
		if lines[i], err = f.Directory.Lineage(c.Context(), a.ID); err != nil {
			return err
		}
	}
	if !lines[0].MayTalk(lines[1]) {
		return molecule.Errorf(molecule.Forbidden, "the hierarchy does not let these workspaces talk to each other")
	}
	return nil
}
