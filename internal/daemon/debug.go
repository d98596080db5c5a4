package daemon

import (
	"context"
	"os"
	"time"

	"github.com/molecule-ai/molecli/internal/scheduler"
)

// debugHold is a variable for tests of alarms and for drills, not a setting: as
// long as the file it names exists, the scheduler beats and finds nothing due.
// Its heart is green and no slot fires, which is how the failure looked that
// nobody saw.
const debugHold = "MOLECULE_DEBUG_HOLD_SCHEDULER"

// held is a store that hides what is due.
type held struct {
	scheduler.ClaimStore
	file string
}

// claims returns what the scheduler claims from.
func (d *Daemon) claims() scheduler.ClaimStore {
	file := os.Getenv(debugHold)
	if file == "" {
		return d.store
	}
	d.log.Warn("slots do not fire while a file exists: this daemon is for tests", "variable", debugHold, "file", file)
	return held{d.store, file}
}

// NextDue returns the earliest due slot, unless the file exists.
func (h held) NextDue(ctx context.Context) (time.Time, error) {
	if _, err := os.Stat(h.file); err == nil {
		return time.Time{}, nil
	}
	return h.ClaimStore.NextDue(ctx)
}
