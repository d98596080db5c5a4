package wire

import "time"

// Header names, in the spelling net/http canonicalises to.
const (
	HeaderOrgID       = "X-Molecule-Org-Id"
	HeaderFlyReplay   = "Fly-Replay-Src"
	HeaderRequestID   = "X-Request-Id"
	HeaderInstance    = "X-Molecule-Instance" // which daemon made an outbound call
	HeaderLastEventID = "Last-Event-Id"

	// On the platform wire: who is asking, and on whose behalf.
	HeaderWorkspace       = "X-Workspace-Id"
	HeaderSourceWorkspace = "X-Source-Workspace-Id"
)

// Paths open to whoever asks, also in tenant mode.
const (
	PathHealth  = "/health"
	PathMetrics = "/metrics"
)

// Paths behind the guard. A path with an id is the collection's path, a slash
// and the escaped ref.
const (
	PathReady           = "/ready"
	PathAdminLiveness   = "/admin/liveness"
	PathSchedulerHealth = "/admin/scheduler/health"
	PathLiveness        = "/v1/liveness"
	PathSubsystems      = "/v1/subsystems" // /{name}/dump
	PathStatus          = "/v1/status"
	PathAgents          = "/v1/agents"
	PathEnrolments      = "/v1/enrolments"
	PathSchedules       = "/v1/schedules" // /{ref}/pause, /resume, /runs, /next, /why, /history
	PathRuns            = "/v1/runs"      // /{ref}/cancel, /retry
	PathScheduleImport  = "/v1/schedules/import"
	PathCalendars       = "/v1/calendars"
	PathIncidents       = "/v1/incidents" // /{ref}/ack
	PathWhoAmI          = "/v1/whoami"
	PathSecrets         = "/v1/secrets"   // /{ref}/versions, /reveal, /plan, /rotate
	PathVault           = "/v1/vault"     // /rewrap, /map, /copies
	PathRotations       = "/v1/rotations" // /{ref}/journal, /resume, /rollback, /abandon
	PathTokens          = "/v1/tokens"
	PathAudit           = "/v1/audit"  // /verify
	PathEvents          = "/v1/events" // SSE when it is asked for by Accept
)

// Paths of the platform wire, which existing agents speak.
const (
	PathRegistry   = "/registry"   // /register, /heartbeat, /update-card, /discover/{id}, /{id}/peers, /check-access
	PathWorkspaces = "/workspaces" // /{id}, /state, /activity, /notify, /a2a
	PathSocket     = "/ws"
)

// Media types of bodies.
const (
	TypeJSON = "application/json"
	TypeSSE  = "text/event-stream"
)

// Bounds both sides keep.
const (
	MaxBodyBytes   = 1 << 20          // of a request
	MaxImportBytes = 64 << 20         // of a request that imports
	MaxSecretBytes = 3 << 19          // of a request with a value of 1 MiB, in base64
	MaxReplyBytes  = 32 << 20         // of an answer the client reads
	MaxRunWait     = 25 * time.Second // the longest ?wait= on a run
	MaxImportWait  = 50 * time.Second // what an import may take longer than another request

	MaxRotationWait = 25 * time.Second // the longest a request waits for a rotation
)

// NotFoundBody is the ordinary 404: the guard and every unknown path answer
// exactly these bytes.
const NotFoundBody = `{"error":{"code":"not_found","message":"not found"}}` + "\n"
