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

// debugHang is the same for a hang: when the file it names exists, the scheduler
// waits for ever in the middle of a tick, and for nobody who tells it to stop.
const debugHang = "MOLECULE_DEBUG_HANG_SCHEDULER"

// drilled is a store that hides what is due, or hangs.
type drilled struct {
	scheduler.ClaimStore
	hold, hang string // files; "" for none
}

// claims returns what the scheduler claims from.
func (d *Daemon) claims() scheduler.ClaimStore {
	s := drilled{d.store, os.Getenv(debugHold), os.Getenv(debugHang)}
	if s.hold == "" && s.hang == "" {
		return d.store
	}
	d.log.Warn("slots do not fire, or the scheduler hangs, while a file exists: this daemon is for tests", "hold", s.hold, "hang", s.hang)
	return s
}

// NextDue returns the earliest due slot, unless a file is in the way.
func (s drilled) NextDue(ctx context.Context) (time.Time, error) {
	if there(s.hang) {
		hangForDrill()
	}
	if there(s.hold) {
		return time.Time{}, nil
	}
	return s.ClaimStore.NextDue(ctx)
}

func there(file string) bool {
	_, err := os.Stat(file)
	return file != "" && err == nil
}

// hangForDrill never returns. Its name is what the journal is to show.
//
//go:noinline
func hangForDrill() { select {} }
