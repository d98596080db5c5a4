package scheduler

import "time"

// WallClock tells how far the clock on the wall has moved away from time that
// really passed: when the machine slept, or somebody set the clock.
type WallClock struct {
	start  time.Time     // with its monotonic reading, which molecule.Now strips
	wall   time.Time     // at the last look
	passed time.Duration // since start, at the last look
}

// NewWallClock begins to watch now.
func NewWallClock() *WallClock {
	now := time.Now()
	return &WallClock{start: now, wall: now.Round(0)}
}

// Jump returns how far the clock jumped since the last call; negative is back.
func (c *WallClock) Jump() time.Duration {
	now := time.Now()
	return c.look(now.Round(0), now.Sub(c.start))
}

// look compares what the wall says with what has passed since start.
func (c *WallClock) look(wall time.Time, passed time.Duration) time.Duration {
	jump := wall.Sub(c.wall) - (passed - c.passed)
	c.wall, c.passed = wall, passed
	return jump
}
