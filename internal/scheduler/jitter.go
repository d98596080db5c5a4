package scheduler

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// dueTime is when a slot fires: at the slot, or behind it by the jitter of its
// schedule, and always before the next slot. It is the same whenever it is
// asked, so that a restart moves nothing.
func dueTime(spec cron.Schedule, s molecule.Schedule, slot time.Time) time.Time {
	if s.Jitter == 0 || slot.IsZero() {
		return slot
	}
	window := time.Duration(s.Jitter)
	var by time.Duration
	if s.JitterMode == molecule.JitterSpread {
		by = share(window, s.ID, slot)
	} else {
		by = share(window, s.ID, time.Time{})
	}
	if next, err := spec.Next(slot); err == nil {
		by %= next.Sub(slot)
	}
	return slot.Add(by.Truncate(time.Millisecond))
}

// share is a part of a window that looks random and is the same for the same
// schedule and slot.
func share(window time.Duration, id string, slot time.Time) time.Duration {
	if window <= 0 {
		return 0
	}
	sum := sha256.Sum256(slot.AppendFormat([]byte(id+" "), time.RFC3339Nano))
	return time.Duration(binary.BigEndian.Uint64(sum[:8]) % uint64(window)).Truncate(time.Millisecond)
}
