package watchdog_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/molecule-ai/molecli/internal/dispatch"
	"github.com/molecule-ai/molecli/internal/incident"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/relay"
	"github.com/molecule-ai/molecli/internal/scheduler"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
	"github.com/molecule-ai/molecli/internal/supervised"
	"github.com/molecule-ai/molecli/internal/watchdog"
)

// behave is an agent.
type behave func(ctx context.Context, d molecule.Delivery) molecule.Reply

// Deliver implements dispatch.Courier.
func (b behave) Deliver(ctx context.Context, d molecule.Delivery) molecule.Reply { return b(ctx, d) }

// says makes an agent that always answers the same.
func says(text string) behave {
	return func(context.Context, molecule.Delivery) molecule.Reply {
		return molecule.Reply{Answered: true, Exit: &molecule.Exit{}, Parts: []molecule.Part{{Text: text}}}
	}
}

// counted counts how often troubles are looked for.
type counted struct {
	*sqlite.DB
	n atomic.Int64
}

// Troubles implements watchdog.TroubleStore.
func (c *counted) Troubles(ctx context.Context, limit int) (molecule.Troubles, error) {
	c.n.Add(1)
	return c.DB.Troubles(ctx, limit)
}

// yard is a real store with everything that watches it. What fires is started by
// itself, if at all.
type yard struct {
	t       *testing.T
	dir     string
	db      *sqlite.DB
	keeper  *incident.Keeper
	service *scheduler.Service
	loop    *scheduler.Scheduler
	hands   *dispatch.Dispatcher
	looks   *counted
	close   func()
}

// open opens the yard of dir. agent answers for every agent; jump may be nil.
// Call it inside a bubble; close before the bubble ends.
func open(t *testing.T, dir string, agent behave, jump func() time.Duration) *yard {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	sqlitetest.Seed(t, dir)
	db, err := sqlite.Open(t.Context(), dir, sqlite.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	y := &yard{t: t, dir: dir, db: db, looks: &counted{DB: db}, keeper: incident.New(incident.Options{Store: db, Log: log})}
	if err := y.keeper.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	events := relay.New(db, log)
	y.hands = dispatch.New(dispatch.Options{
		Store: db, Couriers: map[molecule.AgentKind]dispatch.Courier{molecule.AgentExec: agent}, Drain: time.Second, Log: log,
	})
	y.service = scheduler.NewService(scheduler.ServiceOptions{Store: db, Events: events, Dispatcher: y.hands})
	y.loop = scheduler.New(scheduler.Options{Store: db, Dispatcher: y.hands, Service: y.service, Log: log})
	slots := watchdog.NewSlots(watchdog.SlotOptions{Store: db, Incidents: y.keeper, Jump: jump, Log: log})
	troubles := watchdog.NewTroubles(watchdog.TroubleOptions{Store: y.looks, Incidents: y.keeper, Changed: events.Seen(), Log: log})
	stop := y.run(
		supervised.Spec{Name: "store-writer", Run: db.RunWriter, Every: 30 * time.Second},
		supervised.Spec{Name: "event-relay", Run: events.Run, Every: 30 * time.Second},
		supervised.Spec{Name: "incident-keeper", Run: y.keeper.Run, Every: 30 * time.Second},
		supervised.Spec{Name: "missed-run-watchdog", Run: slots.Run, Every: 30 * time.Second},
		supervised.Spec{Name: "trouble-watchdog", Run: troubles.Run, Every: 30 * time.Second},
	)
	y.close = func() {
		stop()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	return y
}

// inYard calls do in a bubble, on a yard whose agents answer as agent does.
func inYard(t *testing.T, agent behave, do func(t *testing.T, y *yard)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		y := open(t, dir, agent, nil)
		defer y.close()
		do(t, y)
	})
}

// run supervises subsystems until stop is called.
func (y *yard) run(specs ...supervised.Spec) (stop func()) {
	y.t.Helper()
	s := supervised.New(supervised.Options{})
	for _, spec := range specs {
		if err := s.Add(spec); err != nil {
			y.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(y.t.Context())
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := s.Run(ctx); err != nil {
			y.t.Errorf("supervisor: %v", err)
		}
	})
	return func() {
		cancel()
		parts.Wait()
	}
}

// fire starts the real scheduler and dispatcher.
func (y *yard) fire() (stop func()) {
	y.t.Helper()
	return y.run(
		supervised.Spec{Name: "dispatcher", Run: y.hands.Run, Every: 30 * time.Second, StopGrace: 30 * time.Second},
		supervised.Spec{Name: "scheduler", Run: y.loop.Run, Every: 30 * time.Second},
	)
}

// add makes an agent and a schedule of the same name.
func (y *yard) add(cron string, names ...string) {
	y.t.Helper()
	for _, name := range names {
		sqlitetest.Agent(y.t, y.db, name)
		s := molecule.Schedule{Name: name, Agent: name, Cron: cron, Prompt: "work", Timeout: molecule.Duration(10 * time.Minute)}
		if err := y.service.CreateSchedule(y.t.Context(), &s); err != nil {
			y.t.Fatal(err)
		}
	}
}

// incidents returns every incident that was ever opened, newest first.
func (y *yard) incidents() []molecule.Incident {
	y.t.Helper()
	page, err := y.keeper.Incidents(y.t.Context(), molecule.IncidentFilter{All: true})
	if err != nil {
		y.t.Fatal(err)
	}
	return page.Items
}

// wantOpen compares what is open now, a line of kind, subject and title each.
func (y *yard) wantOpen(when, want string) {
	y.t.Helper()
	if got := y.open(); got != want {
		y.t.Errorf("%s it tells %q, want %q", when, got, want)
	}
}

// wantTold compares what the store was told of incidents, in order.
func (y *yard) wantTold(want string) {
	y.t.Helper()
	if got := y.told(); got != want {
		y.t.Errorf("the store was told %s, want %s", got, want)
	}
}

func (y *yard) open() string {
	y.t.Helper()
	var lines []string
	for _, in := range y.incidents() {
		if in.Open() {
			lines = append(lines, in.Kind+" "+in.Subject+": "+in.Title)
		}
	}
	return strings.Join(lines, "\n")
}

func (y *yard) told() string {
	y.t.Helper()
	page, err := y.db.Events(y.t.Context(), molecule.EventFilter{Types: []string{"incident."}})
	if err != nil {
		y.t.Fatal(err)
	}
	var types []string
	for _, e := range page.Items {
		types = append(types, strings.TrimPrefix(e.Type, "incident.")+" "+e.Subject)
	}
	return strings.Join(types, ", ")
}

// must ends the test when what has to work did not.
func (y *yard) must(errs ...error) {
	y.t.Helper()
	if err := errors.Join(errs...); err != nil {
		y.t.Fatal(err)
	}
}
