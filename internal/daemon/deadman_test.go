package daemon

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// switched is a dead man's switch whose calls are kept.
type switched struct {
	deadMan
	mu    sync.Mutex
	bad   []supervised.Status
	down  bool // nobody answers the calls
	calls []string
}

func newSwitched() *switched {
	s := &switched{}
	s.deadMan = deadMan{every: time.Minute, log: discard(), healthy: func(...string) (bool, []supervised.Status) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.bad) == 0, s.bad
	}, call: func(_ context.Context, suffix, says string) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.down {
			return errors.New("down")
		}
		s.calls = append(s.calls, strings.TrimSpace("call "+suffix+" "+says))
		return nil
	}}
	return s
}

// after lets minutes pass and returns the calls in them.
func (s *switched) after(minutes int) []string {
	time.Sleep(time.Duration(minutes) * time.Minute)
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

func (s *switched) set(down bool, bad ...supervised.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down, s.bad = down, bad
}

func TestDeadMan_isCalledOnlyWhileAllIsWell(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSwitched()
		sup := supervised.New(supervised.Options{})
		if err := sup.Add(supervised.Spec{Name: "dead-man-switch", Run: s.Run, Every: 2 * time.Minute, Optional: true}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var parts sync.WaitGroup
		parts.Go(func() {
			if err := sup.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		stuck := supervised.Status{Name: "scheduler", Subsystem: molecule.Subsystem{State: molecule.SubsystemStuck}}
		want := func(what string, got, want []string) {
			t.Helper()
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("%s (-got +want):\n%s", what, diff)
			}
		}
		time.Sleep(time.Second)
		want("at the start", s.after(0), []string{"call start", "call"})
		want("three minutes", s.after(3), []string{"call", "call", "call"})
		s.set(false, stuck)
		want("one part is stuck", s.after(5), []string{"call fail scheduler is stuck"})
		s.set(false)
		want("it is well again", s.after(2), []string{"call", "call"})
		s.set(false, stuck)
		want("and stuck again", s.after(2), []string{"call fail scheduler is stuck"})
		s.set(true)
		want("nobody answers", s.after(10), nil)
		if ok, _ := sup.IsHealthy("dead-man-switch"); ok {
			t.Error("a switch that reaches nobody is healthy")
		}
		s.set(false)
		want("somebody does", s.after(1), []string{"call"})
		cancel()
		parts.Wait()
	})
}

func TestDeadMan_callsTheURLWithItsSuffixes(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 10) // more than come
	there := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		asked <- r.Method + " " + r.URL.Path + string(body)
	}))
	t.Cleanup(there.Close)
	serve(t, func(cfg *Config) { cfg.Supervisor.DeadManURL = there.URL + "/ping/4f1c" })
	for _, want := range []string{"POST /ping/4f1c/start", "POST /ping/4f1c"} {
		select {
		case got := <-asked:
			if got != want {
				t.Errorf("asked %q, want %q", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("nobody asked %s", want)
		}
	}
}

func TestDeadMan_keepsItsPathToItself(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"refused": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"broken":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		there := httptest.NewServer(answer)
		u, err := url.Parse(there.URL + "/ping/4f1c")
		if err != nil {
			t.Fatal(err)
		}
		err = post(t.Context(), there.Client(), u, "")
		if err == nil || strings.Contains(err.Error(), "4f1c") || !strings.Contains(err.Error(), u.Host) {
			t.Errorf("%s: %v, want an error that names the host only", name, err)
		}
		there.Close()
	}
}

func TestNew_refusesADeadManSwitchThatIsNoneOfOurs(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"http://hc.example.com/x", "https://169.254.169.254/x", "ftp://hc.example.com"} {
		cfg := DefaultConfig()
		dir := t.TempDir()
		data := dir + "/d"
		sqlitetest.Seed(t, data)
		cfg.DataDir, cfg.Listen, cfg.Supervisor.DeadManURL = &data, []string{"unix://" + dir + "/s"}, raw
		_, err := New(t.Context(), cfg, discard())
		if molecule.CodeOf(err) != molecule.UnsafeURL || !strings.Contains(err.Error(), "supervisor.dead_man_url") {
			t.Errorf("%s: %v, want one that names the setting", raw, err)
		}
	}
}
