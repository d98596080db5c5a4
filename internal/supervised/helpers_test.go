package supervised

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// loop makes a Run that ticks at once and then every so often, the way a
// subsystem does. It never looks at what a tick returned.
func loop(every time.Duration, tick func(ctx context.Context) error) func(context.Context, *Beat) error {
	return func(ctx context.Context, beat *Beat) error {
		timer := time.NewTimer(0)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-timer.C:
				_ = beat.Tick(ctx, tick)
				timer.Reset(every)
			}
		}
	}
}

// good is a tick with nothing to do.
func good(context.Context) error { return nil }

// begin runs s with the specs. The returned function ends it and returns the
// error of Run; it is called at the end of the test if nobody does before.
func begin(t testing.TB, s *Supervisor, specs ...Spec) (end func() error) {
	t.Helper()
	for _, spec := range specs {
		if err := s.Add(spec); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	ended := false
	end = func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		return <-done
	}
	t.Cleanup(func() { _ = end() })
	return end
}

// wait lets virtual time pass.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// events returns every transition of a subsystem that is still in memory.
func events(t testing.TB, s *Supervisor, name string) []molecule.SubsystemEvent {
	t.Helper()
	var own []molecule.SubsystemEvent
	err := s.Transitions().Drain(t.Context(), func(_ context.Context, all []molecule.SubsystemEvent) error {
		for _, e := range all {
			if e.Subsystem == name {
				own = append(own, e)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return own
}

// story is the states a subsystem went through, the first one left out.
func story(t testing.TB, s *Supervisor, name string) []molecule.SubsystemState {
	t.Helper()
	var states []molecule.SubsystemState
	for _, e := range events(t, s, name) {
		states = append(states, e.To)
	}
	return states
}

// status returns the status of one subsystem.
func status(t testing.TB, s *Supervisor, name string) Status {
	t.Helper()
	for _, st := range s.Snapshot() {
		if st.Name == name {
			return st
		}
	}
	t.Fatalf("%s is not in the snapshot", name)
	return Status{}
}

// wantState fails the test unless the subsystem is in the state.
func wantState(t testing.TB, s *Supervisor, name string, want molecule.SubsystemState) {
	t.Helper()
	if st := status(t, s, name); st.State != want {
		t.Fatalf("%s is %s (%s), want %s", name, st.State, st.LastError, want)
	}
}
