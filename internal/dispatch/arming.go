package dispatch

import (
	"sync/atomic"
	"time"
)

// Bounds of how long before it is due the start of a run is stored.
const (
	shortestArm = 10 * time.Millisecond
	longestArm  = 250 * time.Millisecond
)

// arming decides how long before it is due the start of a run is stored: long
// enough that it is on disk when its instant comes, and no longer. A run that is
// stored as started when the daemon dies is not sent again, though it may never
// have been sent, so each millisecond of it is paid for by a crash.
type arming struct{ slowest atomic.Int64 } // commit of late, in nanoseconds

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

// ahead returns how long before it is due the next start is stored.
func (a *arming) ahead() time.Duration {
	return min(max(2*time.Duration(a.slowest.Load()), shortestArm), longestArm)
}
