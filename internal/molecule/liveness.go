package molecule

import (
	"context"
	"time"
)

// SubsystemState is what the evidence says of a subsystem.
type SubsystemState string

// The states of a subsystem.
const (
	SubsystemStarting SubsystemState = "starting"
	SubsystemHealthy  SubsystemState = "healthy"
	SubsystemStale    SubsystemState = "stale"   // no good tick for two promises
	SubsystemStuck    SubsystemState = "stuck"   // inside one tick for too long
	SubsystemBackoff  SubsystemState = "backoff" // ended, waiting to be started again
	SubsystemFailed   SubsystemState = "failed"  // ended too often
	SubsystemStopped  SubsystemState = "stopped" // by choice
)

// Subsystem is the liveness of one supervised part of the daemon.
type Subsystem struct {
	State        SubsystemState `json:"state"`
	LastTickAt   *time.Time     `json:"last_tick_at"` // null before the first
	SecondsAgo   *float64       `json:"seconds_ago"`  // null before the first
	EverySeconds float64        `json:"every_seconds"`
	Optional     bool           `json:"optional"`
	Restarts     int            `json:"restarts"`
	LastError    string         `json:"last_error,omitempty"`
	BlockedIn    string         `json:"blocked_in,omitempty"` // function a stuck one is in
	// WithinGrace is whether a starting one still has time to prove itself.
	WithinGrace bool `json:"within_grace,omitempty"`
}

// SubsystemEvent is one transition of a subsystem, kept for the morning after.
type SubsystemEvent struct {
	At        time.Time      `json:"at"`
	Subsystem string         `json:"subsystem"`
	From      SubsystemState `json:"from"`
	To        SubsystemState `json:"to"`
	Error     string         `json:"error,omitempty"`
	BlockedIn string         `json:"blocked_in,omitempty"`
	Stack     string         `json:"stack,omitempty"`
}

// AgentCounts counts agents by what we believe of them.
type AgentCounts struct {
	Online   int `json:"online"`
	Degraded int `json:"degraded"`
	Suspect  int `json:"suspect"`
	Offline  int `json:"offline"`
	Unknown  int `json:"unknown"`
	Pending  int `json:"pending"`
	Paused   int `json:"paused"`
}

// ScheduleCounts counts active schedules by how they do.
type ScheduleCounts struct {
	OnTime  int `json:"on_time"`
	Late    int `json:"late"`
	Failing int `json:"failing"`
	Paused  int `json:"paused"`
	Error   int `json:"error"`
}

// Liveness is the answer to "is it alive?", made from memory.
type Liveness struct {
	Healthy    bool                 `json:"healthy"`
	Subsystems map[string]Subsystem `json:"subsystems"`
	Agents     AgentCounts          `json:"agents"`
	Schedules  ScheduleCounts       `json:"schedules"`
	AsOf       time.Time            `json:"as_of,omitzero"` // when agents and schedules were counted
}

// LivenessService answers from memory, also while the store does not.
type LivenessService interface {
	Liveness(ctx context.Context) (Liveness, error)
	// SubsystemDump returns the goroutine stacks of one subsystem. An unknown
	// name is NotFound.
	SubsystemDump(ctx context.Context, name string) (string, error)
}

// Status is what the daemon says of itself.
type Status struct {
	Version       string    `json:"version"`
	PID           int       `json:"pid"`
	StartedAt     time.Time `json:"started_at"`
	OrgID         string    `json:"org_id,omitempty"`
	TenantGuard   string    `json:"tenant_guard"` // "on", or "off: no organisation is configured"
	DataDir       string    `json:"data_dir"`
	Listen        []string  `json:"listen"`
	SchemaVersion int64     `json:"schema_version"`
	StoreBytes    int64     `json:"store_bytes"` // on disk, with what is not yet merged
	FreeBytes     int64     `json:"free_bytes"`  // that the daemon may still fill where its data is
	OpenIncidents int       `json:"open_incidents"`
	Principal     string    `json:"principal"` // who is asking

	Config ConfigStatus `json:"config,omitzero"`
}

// ConfigStatus is which configuration the daemon runs with.
type ConfigStatus struct {
	File         string    `json:"file"`
	LoadedAt     time.Time `json:"loaded_at"`               // when it was last read and could be used
	Error        string    `json:"error,omitempty"`         // why what it holds now is not in use
	NeedsRestart []string  `json:"needs_restart,omitempty"` // settings that differ from those in use
}

// StatusService tells who serves.
type StatusService interface {
	Status(ctx context.Context) (Status, error)
}
