package platform

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// statusOf returns what clients know a state as.
func statusOf(a molecule.Agent) string {
	switch {
	case a.Kind == molecule.AgentPush && a.URL == "" && a.RemovedAt.IsZero() && a.State != molecule.AgentPaused:
		return "offline" // it has yet to say where it is
	case a.State == molecule.AgentPending:
		return "provisioning"
	case a.State == molecule.AgentSuspect:
		return "online"
	case a.State == molecule.AgentUnknown:
		return "degraded"
	}
	return string(a.State)
}

// glance is what everybody who may know of an agent is told first.
type glance struct {
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	Role        string  `json:"role"`
	Tier        int     `json:"tier"`
	Status      string  `json:"status"`
	URL         string  `json:"url"`
	ParentID    *string `json:"parent_id"`
	ActiveTasks int     `json:"active_tasks"`
}

func glanceAt(a molecule.Agent) glance {
	return glance{
		ID: a.ID, Name: a.Name, Role: a.Role, Tier: a.Tier, Status: statusOf(a), URL: a.URL,
		ParentID: orNull(a.ParentID), ActiveTasks: activeTasks(a),
	}
}

// peerView is an agent as others see it.
type peerView struct {
	glance
	AgentCard json.RawMessage `json:"agent_card"`
}

func viewPeer(a molecule.Agent) peerView { return peerView{glanceAt(a), a.Card} }

// workspaceView is an agent as it is seen by itself and by operators.
type workspaceView struct {
	glance
	LastErrorRate   float64         `json:"last_error_rate"`
	LastSampleError string          `json:"last_sample_error"`
	UptimeSeconds   int64           `json:"uptime_seconds"`
	CurrentTask     string          `json:"current_task"`
	Runtime         string          `json:"runtime"`
	AgentCard       json.RawMessage `json:"agent_card"`
}

func viewWorkspace(a molecule.Agent) workspaceView {
	v := workspaceView{glance: glanceAt(a), Runtime: a.Runtime, AgentCard: a.Card}
	if said := a.Vitals; said != nil {
		v.LastErrorRate, v.LastSampleError = said.ErrorRate, said.SampleError
		v.UptimeSeconds, v.CurrentTask = said.UptimeSeconds, said.CurrentTask
	}
	return v
}

// activeTasks is what an agent says it is at; of one that says nothing, what it
// was given and has not answered.
func activeTasks(a molecule.Agent) int {
	if a.Vitals != nil {
		return a.Vitals.ActiveTasks
	}
	return a.ActiveRuns
}

// cardURL is where the card of an agent is that has a URL.
func cardURL(a molecule.Agent) string {
	if a.URL == "" {
		return ""
	}
	base, _, _ := strings.Cut(a.URL, "?")
	return strings.TrimRight(base, "/") + "/.well-known/agent-card.json"
}

// orNull returns nil for "", which is null on this wire.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// stamp returns an instant as this wire writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }
