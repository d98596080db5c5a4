package daemon

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// serviceManager keeps what it is told.
type serviceManager struct {
	mu     sync.Mutex
	down   bool
	states []supervised.Status
	heard  []string
}

func (m *serviceManager) tell(states ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return errors.New("nobody reads")
	}
	m.heard = append(m.heard, strings.Join(states, " "))
	return nil
}

func (m *serviceManager) snapshot() []supervised.Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.states
}

// see sets how the subsystems are: critical ones, and an optional one.
func (m *serviceManager) see(scheduler, writer, retention molecule.SubsystemState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.states = []supervised.Status{
		{Name: "scheduler", Subsystem: molecule.Subsystem{State: scheduler}},
		{Name: "store-writer", Subsystem: molecule.Subsystem{State: writer}},
		{Name: "retention", Subsystem: molecule.Subsystem{State: retention, Optional: true}},
	}
}

// after lets time pass and returns what was told in it.
func (m *serviceManager) after(d time.Duration) []string {
	time.Sleep(d)
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	heard := m.heard
	m.heard = nil
	return heard
}

// watched runs a notifier until the test ends or stop is called.
func watched(t *testing.T, m *serviceManager, watchdog time.Duration) (stop func()) {
	t.Helper()
	n := newNotifier(m.tell, watchdog, m.snapshot)
	sup := supervised.New(supervised.Options{})
	if err := sup.Add(supervised.Spec{Name: "service-notifier", Run: n.Run, Every: 3 * n.every, Optional: true}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := sup.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop = func() {
		cancel()
		parts.Wait()
	}
	t.Cleanup(stop)
	return stop
}

const (
	healthy  = molecule.SubsystemHealthy
	starting = molecule.SubsystemStarting
	stuck    = molecule.SubsystemStuck
)

func TestNotifier_saysReadyWhenEveryCriticalPartHasTicked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &serviceManager{}
		m.see(starting, healthy, starting)
		stop := watched(t, m, 30*time.Second)
		before := m.after(time.Second)
		if len(before) == 0 || before[0] != "STATUS=1/3 healthy WATCHDOG=1" || strings.Contains(strings.Join(before, " "), "READY") {
			t.Errorf("before all have begun it says %q", before)
		}
		m.see(healthy, healthy, starting) // an optional part keeps nobody waiting
		if diff := cmp.Diff([]string{"STATUS=2/3 healthy READY=1 WATCHDOG=1"}, m.after(time.Second)); diff != "" {
			t.Errorf("when they have (-want +got):\n%s", diff)
		}
		m.see(healthy, healthy, healthy)
		if diff := cmp.Diff([]string{"STATUS=3/3 healthy WATCHDOG=1", "WATCHDOG=1"}, m.after(10*time.Second)); diff != "" {
			t.Errorf("afterwards (-want +got):\n%s", diff)
		}
		stop()
		if diff := cmp.Diff([]string{"STOPPING=1 WATCHDOG=1 STATUS=stopping"}, m.after(time.Minute)); diff != "" {
			t.Errorf("at the end (-want +got):\n%s", diff)
		}
	})
}

func TestNotifier_givesNoSignOfLifeWhileACriticalPartIsStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &serviceManager{}
		m.see(healthy, healthy, healthy)
		watched(t, m, 3*time.Second)
		m.after(time.Second)
		m.see(stuck, healthy, healthy)
		if diff := cmp.Diff([]string{"STATUS=2/3 healthy: scheduler is stuck"}, m.after(time.Minute)); diff != "" {
			t.Errorf("while it is stuck (-want +got):\n%s", diff)
		}
		m.see(healthy, healthy, stuck)
		if diff := cmp.Diff([]string{"STATUS=2/3 healthy: retention is stuck WATCHDOG=1"}, m.after(time.Second)); diff != "" {
			t.Errorf("when only an optional part is (-want +got):\n%s", diff)
		}
	})
}

func TestNotifier_tellsAgainWhatNobodyHeard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &serviceManager{down: true}
		m.see(healthy, healthy, healthy)
		watched(t, m, 0)
		m.after(time.Minute)
		m.mu.Lock()
		m.down = false
		m.mu.Unlock()
		heard := m.after(10 * time.Minute)
		if len(heard) == 0 || heard[0] != "STATUS=3/3 healthy READY=1 WATCHDOG=1" {
			t.Errorf("it heard %q", heard)
		}
	})
}
