package supervised

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// fill appends n transitions, numbered on from those that are there.
func fill(s *Supervisor, n int) {
	for range n {
		s.ring.append(molecule.SubsystemEvent{Subsystem: strconv.FormatUint(s.ring.next, 10)})
	}
}

// collect returns a writer for Drain and the numbers it was given.
func collect() (write func(context.Context, []molecule.SubsystemEvent) error, got *[]string) {
	got = new([]string)
	return func(_ context.Context, events []molecule.SubsystemEvent) error {
		for _, e := range events {
			*got = append(*got, e.Subsystem)
		}
		return nil
	}, got
}

func TestDrain_losesNothingWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	rec := s.Transitions()
	fill(s, 2)
	err := rec.Drain(t.Context(), func(context.Context, []molecule.SubsystemEvent) error { return errDisk })
	if !errors.Is(err, errDisk) {
		t.Errorf("Drain returned %v, want %v", err, errDisk)
	}
	fill(s, 1)
	write, got := collect()
	for range 2 { // the second one finds nothing
		if err := rec.Drain(t.Context(), write); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(*got, []string{"0", "1", "2"}); diff != "" {
		t.Errorf("written (-got +want):\n%s", diff)
	}
}

func TestDrain_countsWhatTheRingCouldNotHold(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name             string
		before, while    int // transitions before a wedged write and during it
		after            int
		fails            bool
		dropped          uint64
		first, remaining int // of the Drain afterwards
	}{
		{"fits", 2, 1, 1, true, 0, 0, 4},
		{"just fits", 4, 0, 0, true, 0, 0, 4},
		{"store down for long", 2, 4, 1, true, 3, 3, 4},
		{"pushed out while being written", 3, 4, 0, false, 0, 3, 4},
		{"pushed out twice", 9, 9, 0, true, 14, 14, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := New(Options{})
			s.ring = newRing(4)
			rec := s.Transitions()
			fill(s, tt.before)
			err := rec.Drain(t.Context(), func(context.Context, []molecule.SubsystemEvent) error {
				fill(s, tt.while) // must not wait for us
				if tt.fails {
					return errDisk
				}
				return nil
			})
			if (err != nil) != tt.fails {
				t.Fatal(err)
			}
			fill(s, tt.after)
			if got := rec.Dropped(); got != tt.dropped {
				t.Errorf("%d dropped, want %d", got, tt.dropped)
			}
			write, got := collect()
			if err := rec.Drain(t.Context(), write); err != nil {
				t.Fatal(err)
			}
			var want []string
			for n := range tt.remaining {
				want = append(want, strconv.Itoa(tt.first+n))
			}
			if diff := cmp.Diff(*got, want); diff != "" {
				t.Errorf("written (-got +want):\n%s", diff)
			}
			if got := rec.Dropped(); got != tt.dropped {
				t.Errorf("%d dropped in the end, want %d", got, tt.dropped)
			}
		})
	}
}

func TestDrain_letsOneWriteAtATime(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	rec := s.Transitions()
	fill(s, 1)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	err := rec.Drain(t.Context(), func(context.Context, []molecule.SubsystemEvent) error {
		return rec.Drain(ended, func(context.Context, []molecule.SubsystemEvent) error {
			t.Error("two writes at a time")
			return nil
		})
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the second Drain returned %v, want the end of its context", err)
	}
}

func TestWake_isReadyForWhatNoDrainHasSeen(t *testing.T) {
	t.Parallel()
	ready := func(rec *Recorder) bool {
		select {
		case <-rec.Wake():
			return true
		default:
			return false
		}
	}
	s := New(Options{})
	fill(s, 1)
	late := s.Transitions()
	steps := []struct {
		what string
		do   func()
		want bool
	}{
		{"a transition from before", func() {}, true},
		{"a drain that failed", func() {
			_ = late.Drain(t.Context(), func(context.Context, []molecule.SubsystemEvent) error { return errDisk })
		}, false},
		{"another transition", func() { fill(s, 1) }, true},
		{"a drain", func() { write, _ := collect(); _ = late.Drain(t.Context(), write) }, false},
	}
	for _, step := range steps {
		step.do()
		if got := ready(late); got != step.want {
			t.Errorf("after %s ready is %t, want %t", step.what, got, step.want)
		}
	}
	waiting := late.Wake()
	fill(s, 1)
	<-waiting
}

func TestTransitions_happenAtWholeMilliseconds(t *testing.T) {
	t.Parallel()
	s := hasty()
	rec := s.Transitions()
	end := begin(t, s, Spec{Name: "a", Every: time.Second, Run: loop(time.Second, good)})
	<-rec.Wake()
	if err := end(); err != nil {
		t.Fatal(err)
	}
	for _, e := range events(t, s, "a") {
		if at := e.At.Truncate(time.Millisecond); !at.Equal(e.At) || e.At.Location() != time.UTC {
			t.Errorf("%s at %v, want it as it is stored and sent: UTC, in milliseconds", e.To, e.At)
		}
	}
}
