package dispatch

import (
	"sync/atomic"
	"time"
)

// Bounds of how long before it is due the start of a run is stored.
const (
	shortestArm = 10 * time.Millisecond
	longestArm  = 250 * time.Millisecond
	// startCost is what storing one start among many takes.
	startCost = 40 * time.Microsecond
)

// arming decides how long before it is due the start of a run is stored: long
// enough that it is on disk when its instant comes, and no longer. A run that is
// stored as started when the daemon dies is not sent again, though it may never
// have been sent, so each millisecond of it is paid for by a crash.
type arming struct {
	slowest atomic.Int64 // commit of late, in nanoseconds
	waiting atomic.Int64 // runs whose start is not to be stored yet
}

// took notes how long storing a start took. The slowest counts, and is
// forgotten little by little.
func (a *arming) took(d time.Duration) {
	for {
		was := a.slowest.Load()
		if a.slowest.CompareAndSwap(was, max(int64(d), was-was/32)) {
			return
		}
	}
}

// ahead returns how long before it is due the next start is stored. Those that
// wait with it are likely to be due with it, and share the writer.
func (a *arming) ahead() time.Duration {
	queue := time.Duration(a.waiting.Load()) * startCost
	return min(max(2*time.Duration(a.slowest.Load()), shortestArm)+queue, longestArm)
}
