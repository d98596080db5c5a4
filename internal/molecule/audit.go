package molecule

import (
	"context"
	"time"
)

// AuditResult says what became of what a principal asked for.
type AuditResult string

// The results.
const (
	AuditDone    AuditResult = "done"    // committed together with its row
	AuditRefused AuditResult = "refused" // not allowed, or the credential was wrong
)

// AuditRow is one entry of the audit trail: a change somebody asked for, or an
// attempt that was refused. It never holds a value of a secret.
type AuditRow struct {
	ID        int64       `json:"id"` // without a gap
	At        time.Time   `json:"at"`
	Principal string      `json:"principal"` // uid:1000, token:ab12cd34; empty when nobody was recognised
	Source    string      `json:"source"`    // socket, or the address a request came from
	Action    string      `json:"action"`    // the type of the event, such as schedule.created, or method and route
	Object    string      `json:"object"`    // noun/name, such as schedule/hello
	Result    AuditResult `json:"result"`
	Reason    string      `json:"reason,omitempty"` // why it was refused, or what the caller gave as reason
	RequestID string      `json:"request_id,omitempty"`
	Prev      Digest      `json:"prev"` // hash of the row before
	Hash      Digest      `json:"hash"`
}

// AuditFilter narrows the audit trail, newest first. The zero value lists all.
type AuditFilter struct {
	Principal string
	Action    string // a type, or with a dot at its end all of a noun: schedule.
	Object    string // noun/name, or with a slash at its end all of a noun
	Result    AuditResult
	Limit     int
	Cursor    string
}

// Validate refuses a result that no row has.
func (f AuditFilter) Validate() error { return choice("result", f.Result, AuditDone, AuditRefused) }

// AuditHead is the newest row of the trail at some time. Kept elsewhere it shows
// later that nothing was cut off the end.
type AuditHead struct {
	ID   int64     `json:"id"`
	At   time.Time `json:"at"`
	Hash Digest    `json:"hash"`
}

// AuditVerdict is what a walk along the trail found.
type AuditVerdict struct {
	Sound bool      `json:"sound"`
	Rows  int64     `json:"rows"`
	Head  AuditHead `json:"head"`

	// Of a trail that is not sound: the first row that does not fit, and why.
	BadID  int64  `json:"bad_id,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// AuditService shows the audit trail. Errors are as in [AgentService].
type AuditService interface {
	Audit(ctx context.Context, f AuditFilter) (Page[AuditRow], error)
	// VerifyAudit walks the whole trail, and looks for each of the heads in it.
	VerifyAudit(ctx context.Context, heads []AuditHead) (AuditVerdict, error)
}
