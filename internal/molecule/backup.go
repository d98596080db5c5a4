package molecule

import (
	"context"
	"regexp"
	"strconv"
	"time"
)

// BackupReason says why a backup was made.
type BackupReason string

// The reasons.
const (
	BackupScheduled BackupReason = "scheduled" // it was time
	BackupAsked     BackupReason = "asked"     // somebody wanted one
	BackupMigration BackupReason = "migration" // the schema was about to change
)

// Backup is a copy of the whole store in one file, whole and checked when it got
// its name.
type Backup struct {
	Name   string       `json:"name"` // of the file
	Path   string       `json:"path"`
	MadeAt time.Time    `json:"made_at"`
	Reason BackupReason `json:"reason"`
	Schema int64        `json:"schema_version"`
	Bytes  int64        `json:"bytes"`
	SHA256 string       `json:"sha256,omitempty"` // as it was when it was made; empty when nobody wrote it down
}

// BackupVerdict is what a look at every page of a backup found.
type BackupVerdict struct {
	Backup

	Sound   bool   `json:"sound"`
	Problem string `json:"problem,omitempty"` // of one that is not sound
}

// BackupService keeps copies of the store in a directory of the daemon.
type BackupService interface {
	// Backups returns those there are, newest first.
	Backups(ctx context.Context) ([]Backup, error)
	// CreateBackup makes one now. Errors are Unavailable when there is no room.
	CreateBackup(ctx context.Context) (Backup, error)
	// VerifyBackup reads a whole backup, which ref names: a name or a unique
	// prefix of one. One that is not sound is no error.
	VerifyBackup(ctx context.Context, ref string) (BackupVerdict, error)
}

// backupStamp is how the name of a backup holds when it was made.
const backupStamp = "20060102T150405.000Z"

var backupShape = regexp.MustCompile(`^moleculed-(\d{8}T\d{6}\.\d{3}Z)-(\d{1,9})-(scheduled|asked|migration)\.db$`)

// BackupName returns the name of a backup: moleculed-TIME-SCHEMA-REASON.db, so
// that names are in the order of their making.
func BackupName(at time.Time, schema int64, reason BackupReason) string {
	return "moleculed-" + at.UTC().Format(backupStamp) + "-" + strconv.FormatInt(schema, 10) + "-" + string(reason) + ".db"
}

// ParseBackupName returns what a name says. It reports whether it is that of a
// backup.
func ParseBackupName(name string) (Backup, bool) {
	m := backupShape.FindStringSubmatch(name)
	if m == nil {
		return Backup{}, false
	}
	at, err := time.Parse(backupStamp, m[1])
	schema, nerr := strconv.ParseInt(m[2], 10, 64)
	return Backup{Name: name, MadeAt: at.UTC(), Reason: BackupReason(m[3]), Schema: schema}, err == nil && nerr == nil
}
