package scheduler

import (
	"testing"
	"time"
)

func TestWallClock_tellsWhatTheWallGained(t *testing.T) {
	t.Parallel()
	noon := at("12:00:00")
	tests := []struct {
		name   string
		wall   time.Duration // since noon
		passed time.Duration
		want   time.Duration
	}{
		{"nothing happened", time.Second, time.Second, 0},
		{"it drifted", 2*time.Second + time.Millisecond, 2 * time.Second, time.Millisecond},
		{"the machine slept for an hour", time.Hour + 3*time.Second, 3 * time.Second, time.Hour - time.Millisecond},
		{"told once", time.Hour + 4*time.Second, 4 * time.Second, 0},
		{"somebody set it back by two", -time.Hour + 5*time.Second, 5 * time.Second, -2 * time.Hour},
		{"a second look at the same instant", -time.Hour + 5*time.Second, 5 * time.Second, 0},
	}
	c := WallClock{wall: noon}
	for _, tt := range tests { // one after the other
		if got := c.look(noon.Add(tt.wall), tt.passed); got != tt.want {
			t.Errorf("%s: it jumped by %v, want %v", tt.name, got, tt.want)
		}
	}
	if by := NewWallClock().Jump(); by.Abs() > largestSlip {
		t.Errorf("in no time it jumped by %v", by)
	}
}
