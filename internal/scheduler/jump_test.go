package scheduler_test

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// wall is a clock on the wall that jumps when it is told to.
type wall struct {
	mu sync.Mutex
	by time.Duration
}

func (w *wall) set(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.by = by
}

func (w *wall) jump() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	by := w.by
	w.by = 0
	return by
}

// TestScheduler_tellsAJumpOnceAndLooksAgain: a schedule that nobody told the loop
// of is due, and the loop sleeps for hours. Only a jump makes it look.
func TestScheduler_tellsAJumpOnceAndLooksAgain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		by   time.Duration
		told []float64 // seconds
	}{
		{"two seconds are drift", 2 * time.Second, nil},
		{"more are a jump", 2*time.Second + time.Millisecond, []float64{2.001}},
		{"the machine slept", 8 * time.Hour, []float64{28800}},
		{"set back", -90 * time.Minute, []float64{-5400}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var clock wall
			w := calm
			w.jump = clock.jump
			w.on(t, func(t *testing.T, p *plant) {
				p.agent("a", molecule.AgentExec, 1)
				pass(time.Second)
				sqlitetest.Schedule(t, p.db, "a", "a", time.Now().Add(3*time.Second))
				pass(3500 * time.Millisecond)
				p.wantTold("a") // the loop does not know of it
				clock.set(tt.by)
				pass(10 * time.Second)
				if fired := len(p.told("a")) == 1; fired != (tt.told != nil) {
					t.Errorf("ten seconds behind the jump there is %v", p.told("a"))
				}
				var got []float64
				events, err := p.db.Events(t.Context(), molecule.EventFilter{Types: []string{molecule.EventClockJumped}})
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range events.Items {
					var data struct {
						Seconds float64 `json:"seconds"`
					}
					if err := json.Unmarshal(e.Data, &data); err != nil {
						t.Fatal(err)
					}
					got = append(got, data.Seconds)
				}
				if diff := cmp.Diff(got, tt.told); diff != "" {
					t.Errorf("jumps told (-got +want):\n%s", diff)
				}
			})
		})
	}
}
