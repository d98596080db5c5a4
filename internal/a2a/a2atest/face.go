package a2atest

import (
	"encoding/json"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// The dialects and bindings of a [Face].
const (
	V1      = "1.0"
	V03     = "0.3"
	JSONRPC = "JSONRPC"
	REST    = "HTTP+JSON"
)

// Face is one interface of an agent: a dialect over a binding.
type Face struct {
	Version string
	Binding string
}

// Faces returns every face there is.
func Faces() []Face {
	return []Face{{V1, JSONRPC}, {V1, REST}, {V03, JSONRPC}, {V03, REST}}
}

// String names f, for the name of a subtest.
func (f Face) String() string { return f.Version + " " + f.Binding }

// Path is where f is below the agent's URL.
func (f Face) Path() string { return "/" + f.Version + "/" + strings.ToLower(f.Binding[:4]) }

// CardOf returns the card of an agent at base. One with a face of 1.0 lists all
// of them as 1.0 does; one with a face of 0.3 says it as 0.3 does, too.
func CardOf(base string, faces ...Face) string {
	card := map[string]any{
		"name": "fake", "description": "An agent for tests.", "version": "1",
		"capabilities": map[string]any{}, "skills": []any{},
		"defaultInputModes": []string{"text/plain"}, "defaultOutputModes": []string{"text/plain"},
	}
	var now, before []map[string]string
	modern := false
	for _, f := range faces {
		modern = modern || f.Version == V1
		now = append(now, map[string]string{"url": base + f.Path(), "protocolBinding": f.Binding, "protocolVersion": f.Version})
		if f.Version == V03 {
			before = append(before, map[string]string{"url": base + f.Path(), "transport": f.Binding})
		}
	}
	if modern {
		card["supportedInterfaces"] = now
	}
	if len(before) > 0 {
		card["protocolVersion"], card["url"], card["preferredTransport"] = "0.3.0", before[0]["url"], before[0]["transport"]
		card["additionalInterfaces"] = before
	}
	return string(encode(card))
}

// named reports whether f names the kind of an object in the object, as only
// 0.3 over JSON-RPC does. All others write the JSON form of protocol buffers.
func (f Face) named() bool { return f.Version == V03 && f.Binding == JSONRPC }

// said is the member of a message that holds its parts.
func (f Face) said() string {
	if f.Version == V03 && f.Binding == REST {
		return "content"
	}
	return "parts"
}

// Message returns a message as f writes it; role is "agent" or "user".
func (f Face) Message(role, text string) map[string]any {
	part := map[string]any{"text": text}
	m := map[string]any{"messageId": "m-" + role, f.said(): []any{part}, "role": role}
	if !f.named() {
		m["role"] = "ROLE_" + strings.ToUpper(role)
		return m
	}
	m["kind"], part["kind"] = "message", "text"
	return m
}

// state returns a task state as f writes it.
func (f Face) state(s molecule.TaskState) string {
	if !f.named() {
		return "TASK_STATE_" + strings.ReplaceAll(strings.ToUpper(string(s)), "-", "_")
	}
	return string(s)
}

// task returns a task as f writes it.
func (f Face) task(id string, s Stage) map[string]any {
	status := map[string]any{"state": f.state(s.State), "timestamp": "2026-01-02T03:04:05.678Z"}
	if s.Says != "" {
		status["message"] = f.Message("agent", s.Says)
	}
	t := map[string]any{"id": id, "contextId": "context", "status": status}
	var made []any
	for _, text := range s.Artifacts {
		made = append(made, map[string]any{"artifactId": "a-" + text, "parts": f.Message("agent", text)[f.said()]})
	}
	if len(made) > 0 {
		t["artifacts"] = made
	}
	if f.named() {
		t["kind"] = "task"
	}
	return t
}

// encode writes what cannot fail to be written.
func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return []byte(err.Error()) // no JSON: the test that reads it fails
	}
	return text
}
