package supervised

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/molecule-ai/molecli/internal/molecule"
)

var errDisk = errors.New("disk is full")

func TestRun_restartsAfterEveryEnding(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		ending func() error
		why    string
	}{
		{"panic", func() error { panic("bad row") }, "panic: bad row"},
		{"error", func() error { return errDisk }, "disk is full"},
		{"clean return", func() error { return nil }, "returned while its context was alive"},
		{"end of the goroutine", func() error { runtime.Goexit(); return nil }, "goroutine ended by runtime.Goexit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				first, s := true, New(Options{})
				begin(t, s, Spec{Name: "loop", Every: time.Minute, Run: func(ctx context.Context, beat *Beat) error {
					if first {
						first = false
						return tt.ending()
					}
					return loop(time.Minute, good)(ctx, beat)
				}})
				wait(900 * time.Millisecond)
				wantState(t, s, "loop", molecule.SubsystemBackoff)
				if got := status(t, s, "loop").LastError; got != tt.why {
					t.Errorf("last error is %q, want %q", got, tt.why)
				}
				wait(time.Second)
				wantState(t, s, "loop", molecule.SubsystemHealthy)
				want := []molecule.SubsystemState{"backoff", "starting", "healthy"}
				if diff := cmp.Diff(story(t, s, "loop"), want); diff != "" {
					t.Errorf("story (-got +want):\n%s", diff)
				}
				if got := status(t, s, "loop").Restarts; got != 1 {
					t.Errorf("%d restarts, want 1", got)
				}
			})
		})
	}
}

// What a generation started beside itself ends with it.
func TestRun_endsTheContextOfAGenerationThatIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan time.Duration, 1)
		s := New(Options{})
		begin(t, s, Spec{Name: "loop", Every: time.Second, Run: func(ctx context.Context, beat *Beat) error {
			if status(t, s, "loop").Restarts > 0 {
				return loop(time.Second, good)(ctx, beat)
			}
			begun := time.Now()
			go func() { <-ctx.Done(); ended <- time.Since(begun) }()
			time.Sleep(3 * time.Second)
			return errDisk
		}})
		wait(10 * time.Second)
		select {
		case after := <-ended:
			if after != 3*time.Second {
				t.Errorf("the context ended after %s, want 3s", after)
			}
		default:
			t.Error("the context of a generation outlives it")
		}
	})
}

func TestRun_keepsThePolicy(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		policy  Policy
		ending  error
		state   molecule.SubsystemState
		wantErr string
	}{
		{"on failure, clean", OnFailure, nil, "stopped", ""},
		{"never, clean", Never, nil, "stopped", ""},
		{"never, error", Never, errDisk, "failed", "subsystem once failed: disk is full"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := New(Options{})
				if err := s.Add(Spec{Name: "once", Every: time.Minute, Restart: tt.policy,
					Run: func(context.Context, *Beat) error { return tt.ending }}); err != nil {
					t.Fatal(err)
				}
				got := ""
				if err := s.Run(t.Context()); err != nil { // ends by itself: nothing is left to keep
					got = err.Error()
				}
				if got != tt.wantErr {
					t.Errorf("Run returned %q, want %q", got, tt.wantErr)
				}
				wantState(t, s, "once", tt.state)
			})
		})
	}
}

func TestRun_backsOffAndForgetsItAfterAHealthyMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const crashes = 7
		births := make(chan time.Time, crashes+2)
		s := New(Options{})
		begin(t, s, Spec{Name: "loop", Every: time.Second, Optional: true, Run: func(ctx context.Context, beat *Beat) error {
			births <- time.Now()
			if status(t, s, "loop").Restarts == crashes {
				ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
				defer cancel()
				_ = loop(time.Second, good)(ctx, beat)
			}
			return errDisk
		}})
		last := <-births
		for i, longest := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			born := <-births
			if gap := born.Sub(last); gap < time.Second || gap > longest*time.Second {
				t.Errorf("pause %d is %s, want 1s to %ds", i+1, gap, longest)
			}
			if gap := born.Sub(last); i > 0 && gap%watchEvery == 0 {
				t.Errorf("pause %d is %s: drawn, but rounded to a look of the watch", i+1, gap)
			}
			last = born
		}
		wait(55 * time.Second)
		if got := status(t, s, "loop").LastError; got != errDisk.Error() {
			t.Errorf("before a healthy minute the last error is %q, want %q", got, errDisk)
		}
		wait(10 * time.Second)
		if got := status(t, s, "loop").LastError; got != "" {
			t.Errorf("after a healthy minute the last error is %q, want none", got)
		}
		if gap := (<-births).Sub(last); gap != 91*time.Second {
			t.Errorf("the first pause after it is %s, want 1s", gap-90*time.Second)
		}
	})
}

func TestRun_forgetsNothingWhenTheHealthyMinuteHasABreak(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		begin(t, s, Spec{Name: "loop", Every: time.Second, Run: func(ctx context.Context, beat *Beat) error {
			if status(t, s, "loop").Restarts == 0 {
				return errDisk
			}
			born := time.Now()
			return loop(time.Second, func(context.Context) error {
				if age := time.Since(born); age > 30*time.Second && age < 40*time.Second {
					return errors.New("store is busy")
				}
				return nil
			})(ctx, beat)
		}})
		wait(80 * time.Second)
		wantState(t, s, "loop", molecule.SubsystemHealthy)
		if got := status(t, s, "loop").LastError; got != errDisk.Error() {
			t.Errorf("last error is %q, want %q", got, errDisk)
		}
	})
}

func TestRun_escalatesACriticalOneThatFailsTooOften(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []string
		s := New(Options{Escalate: func(name, reason string) { told = append(told, name+": "+reason) }})
		runs := 0
		if err := s.Add(Spec{Name: "scheduler", Every: time.Second, Run: func(context.Context, *Beat) error {
			runs++
			return fmt.Errorf("attempt %d: %w", runs, errDisk)
		}}); err != nil {
			t.Fatal(err)
		}
		err := s.Run(t.Context())
		synctest.Wait()
		want := "subsystem scheduler failed: 11 exits in 10m0s, the last: attempt 11: disk is full"
		if err == nil || err.Error() != want {
			t.Errorf("Run returned %v, want %s", err, want)
		}
		if diff := cmp.Diff(told, []string{"scheduler: " + want}); diff != "" {
			t.Errorf("escalated (-got +want):\n%s", diff)
		}
		wantState(t, s, "scheduler", molecule.SubsystemFailed)
	})
}

func TestRun_probesAnOptionalOneThatFailsTooOften(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var healed atomic.Bool
		var runs atomic.Int64
		s := New(Options{})
		begin(t, s, Spec{Name: "prober", Every: time.Second, Optional: true, Run: func(ctx context.Context, beat *Beat) error {
			runs.Add(1)
			if healed.Load() {
				return loop(time.Second, good)(ctx, beat)
			}
			return errDisk
		}})
		wait(10 * time.Minute)
		wantState(t, s, "prober", molecule.SubsystemFailed)
		if got := runs.Load(); got != 11 {
			t.Errorf("%d attempts before it failed, want 11", got)
		}
		wait(2 * time.Hour)
		if got := runs.Load(); got != 13 {
			t.Errorf("%d attempts after two hours more, want one in each", got)
		}
		healed.Store(true)
		wait(time.Hour)
		wantState(t, s, "prober", molecule.SubsystemHealthy)
	})
}

func TestRestart_startsAtOnceFromAnyState(t *testing.T) {
	t.Parallel()
	dead := func(context.Context, *Beat) error { return errDisk }
	tests := []struct {
		name   string
		spec   Spec
		before time.Duration
		state  molecule.SubsystemState
	}{
		{"healthy", Spec{Run: loop(time.Second, good)}, time.Minute, "healthy"},
		{"backoff", Spec{Run: dead}, 500 * time.Millisecond, "backoff"},
		{"failed", Spec{Run: dead}, 10 * time.Minute, "failed"},
		{"failed for good", Spec{Run: dead, Restart: Never}, time.Second, "failed"},
		{"finished", Spec{Run: func(context.Context, *Beat) error { return nil }, Restart: OnFailure}, time.Second, "stopped"},
		{"stale", Spec{Run: loop(time.Second, func(context.Context) error { return errDisk })}, time.Minute, "stale"},
		{"deaf", Spec{Run: func(_ context.Context, beat *Beat) error {
			for {
				_ = beat.Tick(context.Background(), good)
				time.Sleep(time.Second)
				if beat.fenced.Load() {
					return nil
				}
			}
		}}, time.Minute, "healthy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Bool
				s := New(Options{})
				spec := tt.spec
				spec.Name, spec.Every, spec.Optional = "loop", time.Second, true
				spec.Run = func(ctx context.Context, beat *Beat) error {
					if asked.Load() {
						return loop(time.Second, good)(ctx, beat)
					}
					return tt.spec.Run(ctx, beat)
				}
				begin(t, s, spec, Spec{Name: "other", Every: time.Second, Run: loop(time.Second, good)})
				wait(tt.before)
				wantState(t, s, "loop", tt.state)
				asked.Store(true)
				if err := s.Restart("loop"); err != nil {
					t.Fatal(err)
				}
				wait(6 * time.Second)
				wantState(t, s, "loop", molecule.SubsystemHealthy)
				st := status(t, s, "loop")
				if st.LastError != "" || st.Restarts == 0 {
					t.Errorf("after %d restarts the last error is %q, want it forgotten", st.Restarts, st.LastError)
				}
				all := events(t, s, "loop")
				if !slices.ContainsFunc(all, func(e molecule.SubsystemEvent) bool { return e.Error == errAsked.Error() }) {
					t.Errorf("no transition says why it was started again: %v", all)
				}
			})
		})
	}
}

func TestRestart_forgetsTheExitsBeforeIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		begin(t, s, Spec{Name: "loop", Every: time.Second, Optional: true,
			Run: func(context.Context, *Beat) error { return errDisk }})
		wait(4 * time.Minute)
		wantState(t, s, "loop", molecule.SubsystemFailed)
		if err := s.Restart("loop"); err != nil {
			t.Fatal(err)
		}
		wait(500 * time.Millisecond)
		wantState(t, s, "loop", molecule.SubsystemBackoff)
	})
}

func TestRestart_refusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		spec := Spec{Name: "loop", Every: time.Second, Run: loop(time.Second, good)}
		if err := s.Add(spec); err != nil {
			t.Fatal(err)
		}
		if got := molecule.CodeOf(s.Restart("loop")); got != molecule.Unavailable {
			t.Errorf("before the start the code is %q, want unavailable", got)
		}
		end := begin(t, s)
		wait(time.Second)
		if got := molecule.CodeOf(s.Restart("other")); got != molecule.NotFound {
			t.Errorf("for an unknown name the code is %q, want not_found", got)
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if got := molecule.CodeOf(s.Restart("loop")); got != molecule.Unavailable {
			t.Errorf("after the end the code is %q, want unavailable", got)
		}
		if got := molecule.CodeOf(s.Run(t.Context())); got != molecule.Conflict {
			t.Errorf("for a second run the code is %q, want conflict", got)
		}
	})
}

func TestAdd_refusesWhatPromisesNothing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		spec Spec
		want molecule.Code
	}{
		{"no name", Spec{Every: time.Second, Run: loop(1, good)}, molecule.Invalid},
		{"odd name", Spec{Name: "a b", Every: time.Second, Run: loop(1, good)}, molecule.Invalid},
		{"no promise", Spec{Name: "loop", Run: loop(1, good)}, molecule.Invalid},
		{"negative promise", Spec{Name: "loop", Every: -1, EventDriven: true, Run: loop(1, good)}, molecule.Invalid},
		{"nothing to run", Spec{Name: "loop", Every: time.Second}, molecule.Invalid},
		{"negative limit", Spec{Name: "loop", Every: time.Second, TickLimit: -1, Run: loop(1, good)}, molecule.Invalid},
		{"no such policy", Spec{Name: "loop", Every: time.Second, Restart: 3, Run: loop(1, good)}, molecule.Invalid},
		{"known name", Spec{Name: "known", Every: time.Second, Run: loop(1, good)}, molecule.Conflict},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := New(Options{})
			if err := s.Add(Spec{Name: "known", EventDriven: true, Run: loop(1, good)}); err != nil {
				t.Fatal(err)
			}
			if err := s.Add(tt.spec); molecule.CodeOf(err) != tt.want || err == nil {
				t.Errorf("Add returned %v, want code %s", err, tt.want)
			}
			if got := len(s.Snapshot()); got != 1 {
				t.Errorf("%d subsystems are listed, want 1", got)
			}
		})
	}
}

func TestRun_stopsInReverseOrderAndReportsWhatDoesNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var order []string
		stopping := func(name string) func(context.Context, *Beat) error {
			return func(ctx context.Context, beat *Beat) error {
				_ = loop(time.Second, good)(ctx, beat)
				time.Sleep(time.Second)
				order = append(order, name)
				return nil
			}
		}
		release := make(chan struct{})
		deaf := func(ctx context.Context, beat *Beat) error {
			_ = loop(time.Second, good)(ctx, beat)
			hangInChannel(release)
			return nil
		}
		s := New(Options{})
		end := begin(t, s,
			Spec{Name: "store", Every: time.Second, Run: stopping("store")},
			Spec{Name: "deaf", Every: time.Second, StopGrace: 2 * time.Second, Run: deaf},
			Spec{Name: "api", Every: time.Second, Run: stopping("api")},
		)
		wait(10 * time.Second)
		begun := time.Now()
		err := end()
		if took := time.Since(begun); took != 4*time.Second {
			t.Errorf("the stop took %s, want 1s + 2s of grace + 1s", took)
		}
		if diff := cmp.Diff(order, []string{"api", "store"}); diff != "" {
			t.Errorf("order (-got +want):\n%s", diff)
		}
		for _, want := range []string{"subsystem deaf (generation 1) did not stop within 2s", "it is in supervised.hangInChannel", "_test.go:"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not say %q:\n%v", want, err)
			}
		}
		wantState(t, s, "store", molecule.SubsystemStopped)
		if st := status(t, s, "deaf"); st.State == molecule.SubsystemStopped {
			t.Error("deaf is called stopped, and is not")
		}
		close(release)
	})
}

func TestRun_keepsTheErrorOfAStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		end := begin(t, s, Spec{Name: "writer", Every: time.Second, Run: func(ctx context.Context, beat *Beat) error {
			_ = loop(time.Second, good)(ctx, beat)
			return errDisk // the last flush
		}}, Spec{Name: "relay", Every: time.Second, Run: func(ctx context.Context, beat *Beat) error {
			_ = loop(time.Second, good)(ctx, beat)
			return context.Cause(ctx)
		}})
		wait(time.Second)
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if got := status(t, s, "writer").LastError; got != errDisk.Error() {
			t.Errorf("last error of writer is %q, want %q", got, errDisk)
		}
		if got := status(t, s, "relay").LastError; got != "" {
			t.Errorf("last error of relay is %q, want none", got)
		}
	})
}

func TestRunWithRecover_healsASingleOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		err := RunWithRecover(t.Context(), Spec{Name: "once", Every: time.Second, Restart: OnFailure,
			Run: func(context.Context, *Beat) error {
				if runs++; runs < 3 {
					panic("not yet")
				}
				return nil
			}})
		if err != nil || runs != 3 {
			t.Errorf("returned %v after %d runs, want nil after 3", err, runs)
		}
	})
	if err := RunWithRecover(t.Context(), Spec{}); molecule.CodeOf(err) != molecule.Invalid {
		t.Errorf("an empty spec returned %v, want invalid", err)
	}
}
