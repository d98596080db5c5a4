package supervised

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// hangOnce is a loop whose first life hangs in its first tick until release.
func hangOnce(release <-chan struct{}) func(context.Context, *Beat) error {
	var born atomic.Bool
	return func(ctx context.Context, beat *Beat) error {
		if born.CompareAndSwap(false, true) {
			return beat.Tick(ctx, func(context.Context) error { hangInChannel(release); return nil })
		}
		return loop(time.Second, good)(ctx, beat)
	}
}

func TestLadder_healsWhatHeedsItsContext(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		run  func(ctx context.Context, beat *Beat) error // its first life
		why  string
	}{
		{"inside a tick", func(ctx context.Context, beat *Beat) error {
			// The tick waits for the wrong context: its own has a limit.
			return beat.Tick(ctx, func(context.Context) error { <-ctx.Done(); return ctx.Err() })
		}, "inside one tick for 10.5s"},
		{"before the first tick", func(ctx context.Context, _ *Beat) error {
			<-ctx.Done()
			return nil
		}, "no tick in the first 10.5s"},
		{"between two ticks", func(ctx context.Context, beat *Beat) error {
			_ = beat.Tick(ctx, good)
			<-ctx.Done()
			return nil
		}, "no tick for 16.5s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := New(Options{})
				begin(t, s, Spec{Name: "loop", Every: 3 * time.Second, Run: func(ctx context.Context, beat *Beat) error {
					if status(t, s, "loop").Restarts == 0 {
						return tt.run(ctx, beat)
					}
					return loop(time.Second, good)(ctx, beat)
				}})
				wait(20 * time.Second)
				wantState(t, s, "loop", molecule.SubsystemHealthy)
				found := false
				for _, e := range events(t, s, "loop") {
					if e.To == molecule.SubsystemStuck {
						found = e.Error == tt.why && strings.HasPrefix(e.BlockedIn, "supervised.TestLadder_heals") && e.Stack != ""
					}
				}
				if !found {
					t.Errorf("no transition says %q and where: %v", tt.why, events(t, s, "loop"))
				}
			})
		})
	}
}

func TestLadder_escalatesACriticalOneThatIgnoresIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		told := make(chan string, 1)
		s := New(Options{Escalate: func(name, reason string) { told <- name + ": " + reason }})
		begun := time.Now()
		for _, spec := range []Spec{
			{Name: "store", Every: time.Second, Run: loop(time.Second, good)},
			{Name: "scheduler", Every: 30 * time.Second, StopGrace: 4200 * time.Millisecond, Run: hangOnce(release)},
		} {
			if err := s.Add(spec); err != nil {
				t.Fatal(err)
			}
		}
		err := s.Run(t.Context())
		if took := time.Since(begun); took != 14700*time.Millisecond {
			t.Errorf("Run took %s, want limit + look + grace", took)
		}
		want := "subsystem scheduler is stuck in supervised.hangInChannel: inside one tick for 10.5s; did not end within 4.2s"
		if got := <-told; got != "scheduler: "+want {
			t.Errorf("escalated %q, want %q", got, want)
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Count(err.Error(), "hangInChannel\n") != 1 {
			t.Errorf("Run returned %v, want %s, with its stack once", err, want)
		}
		if st := status(t, s, "scheduler"); st.State != molecule.SubsystemStuck || st.BlockedIn != "supervised.hangInChannel" {
			t.Errorf("the status is %s in %q, want stuck in the function", st.State, st.BlockedIn)
		}
		wantState(t, s, "store", molecule.SubsystemStopped)
	})
}

// The fence: a generation that was given up proves nothing any more, whatever
// it does when it comes to.
func TestLadder_fencesAnAbandonedGeneration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release, second, hang := make(chan struct{}), make(chan error, 1), make(chan struct{})
		var lives atomic.Int64
		s := New(Options{})
		end := begin(t, s, Spec{Name: "relay", EventDriven: true, Optional: true, Run: func(ctx context.Context, beat *Beat) error {
			if lives.Add(1) == 1 {
				_ = beat.Tick(ctx, func(context.Context) error { hangInChannel(release); return nil })
				beat.Heartbeat()
				second <- beat.Tick(context.WithoutCancel(ctx), good)
				panic("nobody is to see this")
			}
			beat.Heartbeat()
			<-hang // from here on only the old one could beat
			return nil
		}})
		wait(20 * time.Second)
		wantState(t, s, "relay", molecule.SubsystemHealthy)
		before, _ := s.LastTick("relay")
		close(release)
		if err := <-second; err != errFenced {
			t.Errorf("a tick of the old generation returned %v, want %v", err, errFenced)
		}
		wait(time.Second)
		if after, _ := s.LastTick("relay"); !after.Equal(before) {
			t.Errorf("the old generation moved the last tick from %s to %s", before, after)
		}
		if st := status(t, s, "relay"); st.Restarts != 1 || strings.Contains(st.LastError, "nobody") {
			t.Errorf("its end counted: %d restarts, %s", st.Restarts, st.LastError)
		}
		close(hang)
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

func TestLadder_reportsAnAbandonedGenerationThatIsStillThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		s := New(Options{})
		end := begin(t, s, Spec{Name: "relay", Every: 30 * time.Second, Optional: true, Run: hangOnce(release)})
		wait(time.Minute)
		wantState(t, s, "relay", molecule.SubsystemHealthy)
		err := end()
		if err == nil || !strings.Contains(err.Error(), "relay (generation 1) did not stop") {
			t.Errorf("Run returned %v, want it to name generation 1", err)
		}
		wantState(t, s, "relay", molecule.SubsystemStopped) // generation 2 has
	})
}

// The stack that is kept is that of the generation that hangs, not of one that
// was given up before and hangs still.
func TestLadder_tellsGenerationsApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		s := New(Options{})
		begin(t, s, Spec{Name: "relay", Every: 30 * time.Second, Optional: true, Run: func(ctx context.Context, beat *Beat) error {
			switch status(t, s, "relay").Restarts {
			case 0:
				return beat.Tick(ctx, func(context.Context) error { hangInChannel(release); return nil })
			case 1:
				healthy, cancel := context.WithTimeout(ctx, dumpEvery)
				defer cancel()
				_ = loop(time.Second, good)(healthy, beat)
				return beat.Tick(ctx, func(context.Context) error { hangInTransaction(nil, release); return nil })
			}
			return loop(time.Second, good)(ctx, beat)
		}})
		wait(10 * time.Minute)
		var got []string
		for _, e := range events(t, s, "relay") {
			if e.To == molecule.SubsystemStuck {
				got = append(got, e.BlockedIn)
			}
		}
		want := []string{"supervised.hangInChannel", "supervised.hangInTransaction"}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("blocked in (-got +want):\n%s", diff)
		}
	})
}

func TestLadder_dumpsOneSubsystemOnceInFiveMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		begin(t, s, Spec{Name: "relay", Every: 30 * time.Second, Optional: true, Run: func(ctx context.Context, beat *Beat) error {
			healthy, cancel := context.WithTimeout(ctx, 70*time.Second) // or it fails for good
			defer cancel()
			_ = loop(time.Second, good)(healthy, beat)
			return beat.Tick(ctx, func(context.Context) error { <-ctx.Done(); return nil })
		}})
		wait(12 * time.Minute)
		var last time.Time
		stuck, dumps := 0, 0
		for _, e := range events(t, s, "relay") {
			if e.To != molecule.SubsystemStuck {
				continue
			}
			stuck++
			if e.Stack == "" {
				continue
			}
			dumps++
			if !last.IsZero() && e.At.Sub(last) < dumpEvery {
				t.Errorf("two dumps within %s", e.At.Sub(last))
			}
			last = e.At
		}
		if stuck != 8 || dumps != 2 {
			t.Errorf("%d dumps of %d hangs, want 2 of 8", dumps, stuck)
		}
	})
}

func TestRun_isNotBlockedByWhoItTells(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		make func(block func()) *Supervisor
		open func(s *Supervisor, block func())
	}{
		{"the log", func(block func()) *Supervisor {
			return New(Options{Log: slog.New(slog.NewTextHandler(writer(block), nil))})
		}, nil},
		{"a panic in the log", func(func()) *Supervisor {
			return New(Options{Log: slog.New(slog.NewTextHandler(writer(func() { panic("no disk") }), nil))})
		}, nil},
		{"the recorder", func(func()) *Supervisor { return New(Options{}) }, func(s *Supervisor, block func()) {
			rec := s.Transitions()
			<-rec.Wake()
			_ = rec.Drain(context.Background(), func(context.Context, []molecule.SubsystemEvent) error { block(); return nil })
		}},
		{"the escalation", func(block func()) *Supervisor {
			return New(Options{Escalate: func(string, string) { block() }})
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				defer close(release)
				s := tt.make(func() { <-release })
				if tt.open != nil {
					go tt.open(s, func() { <-release })
				}
				if err := s.Add(Spec{Name: "scheduler", Every: 30 * time.Second, Run: hangOnce(release)}); err != nil {
					t.Fatal(err)
				}
				begun := time.Now()
				if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "hangInChannel") {
					t.Errorf("Run returned %v, want the hang", err)
				}
				if took := time.Since(begun); took > 17*time.Second {
					t.Errorf("Run took %s, want limit + grace and a moment", took)
				}
			})
		})
	}
}

// writer is an io.Writer that calls itself on each write.
type writer func()

func (w writer) Write(p []byte) (int, error) { w(); return len(p), nil }

func TestRun_logsTransitionsWithTheirReason(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log lines
		release := make(chan struct{})
		handler := slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "stack" {
				return slog.Attr{}
			}
			return a
		}})
		s := New(Options{Log: slog.New(handler)})
		end := begin(t, s, Spec{Name: "relay", Every: 30 * time.Second, Optional: true, Run: hangOnce(release)})
		wait(20 * time.Second)
		close(release)
		wait(time.Second)
		if err := end(); err != nil {
			t.Fatal(err)
		}
		want := []string{
			`level=ERROR msg="subsystem changed state" subsystem=relay from=starting to=stuck err="inside one tick for 10.5s" blocked_in=supervised.hangInChannel`,
			`level=WARN msg="subsystem changed state" subsystem=relay from=stuck to=backoff err="inside one tick for 10.5s; did not end within 5s"`,
			`level=INFO msg="subsystem changed state" subsystem=relay from=backoff to=starting`,
			`level=INFO msg="subsystem changed state" subsystem=relay from=starting to=healthy`,
			`level=INFO msg="subsystem changed state" subsystem=relay from=healthy to=stopped`,
		}
		if diff := cmp.Diff(log.all(), want); diff != "" {
			t.Errorf("log (-got +want):\n%s", diff)
		}
	})
}

// lines keeps what is written to it, line by line.
type lines struct {
	mu  sync.Mutex
	buf strings.Builder
}

var _ io.Writer = (*lines)(nil)

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSpace(l.buf.String()), "\n")
}
