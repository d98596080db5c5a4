package supervised

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// with runs fn as the only life of a subsystem, in virtual time.
func with(t *testing.T, spec Spec, fn func(ctx context.Context, t *testing.T, s *Supervisor, beat *Beat)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		spec.Name, spec.Restart = "loop", Never
		spec.Run = func(ctx context.Context, beat *Beat) error {
			fn(ctx, t, s, beat)
			return nil
		}
		if err := s.Add(spec); err != nil {
			t.Fatal(err)
		}
		if err := s.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTick_countsOnlyWhenItWasGood(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		tick    func(context.Context) error
		wantErr string
		counts  bool
	}{
		{"good", good, "", true},
		{"error", func(context.Context) error { return errDisk }, "disk is full", false},
		{"panic", func(context.Context) error { panic("bad row") }, "panic: bad row", false},
		{"too long", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, "context deadline exceeded", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			with(t, Spec{Every: time.Minute}, func(ctx context.Context, t *testing.T, s *Supervisor, beat *Beat) {
				begun, got := time.Now(), ""
				if err := beat.Tick(ctx, tt.tick); err != nil {
					got = err.Error()
				}
				if got != tt.wantErr || status(t, s, "loop").LastError != tt.wantErr {
					t.Errorf("tick returned %q, the status says %q, want %q", got, status(t, s, "loop").LastError, tt.wantErr)
				}
				if _, ok := s.LastTick("loop"); ok != tt.counts {
					t.Errorf("there was a good tick: %t, want %t", ok, tt.counts)
				}
				if took := time.Since(begun); took != 0 && took != defaultTickLimit {
					t.Errorf("it took %s, want at most the limit", took)
				}
				if err := beat.Tick(ctx, good); err != nil {
					t.Errorf("the loop does not go on: %v", err)
				}
				if last, ok := s.LastTick("loop"); !ok || !last.Equal(time.Now()) {
					t.Errorf("last tick is %s, want now", last)
				}
			})
		})
	}
}

func TestTick_refusesWhatWouldBeNoProof(t *testing.T) {
	t.Parallel()
	elsewhere := func(fn func() error) error {
		done := make(chan error)
		go func() { done <- fn() }()
		return <-done
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name string
		tick func(ctx context.Context, beat *Beat, fn func(context.Context) error) error
		want error
	}{
		{"another goroutine", func(ctx context.Context, beat *Beat, fn func(context.Context) error) error {
			return elsewhere(func() error { return beat.Tick(ctx, fn) })
		}, errForeign},
		{"inside a tick", func(ctx context.Context, beat *Beat, fn func(context.Context) error) (err error) {
			_ = beat.Tick(ctx, func(ctx context.Context) error { err = beat.Tick(ctx, fn); return err })
			return err
		}, errNested},
		{"ended context", func(_ context.Context, beat *Beat, fn func(context.Context) error) error {
			return beat.Tick(ended, fn)
		}, context.Canceled},
		{"old generation", func(ctx context.Context, beat *Beat, fn func(context.Context) error) error {
			beat.fenced.Store(true)
			return beat.Tick(ctx, fn)
		}, errFenced},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			with(t, Spec{Every: time.Minute}, func(ctx context.Context, t *testing.T, s *Supervisor, beat *Beat) {
				called := false
				err := tt.tick(ctx, beat, func(context.Context) error { called = true; return nil })
				if !errors.Is(err, tt.want) || called {
					t.Errorf("returned %v (called: %t), want %v without a call", err, called, tt.want)
				}
				if _, ok := s.LastTick("loop"); ok {
					t.Error("it counts as a tick")
				}
			})
		})
	}
}

func TestTick_endsWithItsGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		begin(t, s, Spec{Name: "loop", Every: time.Second, Run: loop(time.Second, func(context.Context) error {
			runtime.Goexit()
			return nil
		})})
		wait(500 * time.Millisecond)
		wantState(t, s, "loop", molecule.SubsystemBackoff)
	})
}

func TestHeartbeat_countsForEventDrivenLoopsOnTheirOwnGoroutine(t *testing.T) {
	t.Parallel()
	own := func(beat *Beat) { beat.Heartbeat() }
	tests := []struct {
		name   string
		spec   Spec
		beat   func(*Beat)
		counts bool
	}{
		{"event driven", Spec{EventDriven: true}, own, true},
		{"ticking", Spec{Every: time.Minute}, own, false},
		{"another goroutine", Spec{EventDriven: true}, func(beat *Beat) {
			done := make(chan struct{})
			go func() { defer close(done); beat.Heartbeat() }()
			<-done
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			with(t, tt.spec, func(_ context.Context, t *testing.T, s *Supervisor, beat *Beat) {
				for range 3 {
					time.Sleep(time.Second)
					tt.beat(beat)
					last, ok := s.LastTick("loop")
					if ok != tt.counts || ok && !last.Equal(time.Now()) {
						t.Fatalf("last tick is %s (%t), want now: %t", last, ok, tt.counts)
					}
				}
			})
		})
	}
}

func TestC_remindsAtOnceAndThenTwiceInEachPromise(t *testing.T) {
	t.Parallel()
	with(t, Spec{EventDriven: true}, func(_ context.Context, t *testing.T, s *Supervisor, beat *Beat) {
		start := time.Now()
		var got []time.Duration
		for range 4 {
			got = append(got, (<-beat.C()).Sub(start))
			beat.Heartbeat()
		}
		want := []time.Duration{0, 15 * time.Second, 30 * time.Second, 45 * time.Second}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("reminders (-got +want):\n%s", diff)
		}
		wantState(t, s, "loop", molecule.SubsystemHealthy)
	})
}

func TestC_isSilentForAGenerationThatIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reminders <-chan time.Time
		err := RunWithRecover(t.Context(), Spec{Name: "once", EventDriven: true, Restart: Never,
			Run: func(_ context.Context, beat *Beat) error {
				reminders = beat.C()
				<-reminders
				return nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-reminders:
			t.Error("reminded after its end")
		case <-time.After(time.Hour):
		}
	})
}

func TestGuard_turnsAPanicIntoAnError(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		fn   func() error
		want string
		is   error
	}{
		{"nothing", func() error { return nil }, "", nil},
		{"an error", func() error { return errDisk }, "disk is full", errDisk},
		{"a panic with text", func() error { panic("bad row") }, "panic: bad row", nil},
		{"a panic with an error", func() error { panic(errDisk) }, "panic: disk is full", errDisk},
		{"a bad index", func() error { var rows []int; _ = rows[len(rows)]; return nil },
			"panic: runtime error: index out of range [0] with length 0", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := Guard(tt.fn)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("Guard returned %v, want %q", err, tt.want)
			}
			p, ok := errors.AsType[*PanicError](err)
			if ok && len(p.Stack) == 0 {
				t.Error("the panic has no stack")
			}
		})
	}
}
