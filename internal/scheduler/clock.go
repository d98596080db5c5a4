package scheduler

import "time"

// WallClock tells how far the clock on the wall has moved away from time that
// really passed: when the machine slept, or somebody set the clock.
type WallClock struct{ last time.Time }

// NewWallClock begins to watch now.
func NewWallClock() *WallClock { return &WallClock{last: time.Now()} }

// Jump returns how far the clock jumped since the last call; negative is back.
func (c *WallClock) Jump() time.Duration {
	now := time.Now() // with its monotonic reading, which molecule.Now strips
	jump := now.Round(0).Sub(c.last.Round(0)) - now.Sub(c.last)
	c.last = now
	return jump
}
