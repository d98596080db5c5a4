package inbox_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/dispatch"
	"github.com/molecule-ai/molecli/internal/inbox"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// rig is an inbox with a real store and a real dispatcher, without a network.
type rig struct {
	testing.TB
	*inbox.Service
	db   *sqlite.DB
	d    *dispatch.Dispatcher
	stop func()
}

// bubble runs a test on the store of a new directory, in virtual time.
func bubble(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := start(t, dir)
		test(t, r)
		r.close()
	})
}

// start begins on the store of dir. Call it inside a bubble.
func start(t testing.TB, dir string) *rig {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	sqlitetest.Seed(t, dir)
	db, err := sqlite.Open(t.Context(), dir, sqlite.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{TB: t, db: db, Service: inbox.New(inbox.Options{Store: db, OrgID: "acme", Log: log})}
	r.d = dispatch.New(dispatch.Options{
		Store: db, Couriers: map[molecule.AgentKind]dispatch.Courier{molecule.AgentPoll: r.Service}, Drain: time.Second, Log: log,
	})
	s := supervised.New(supervised.Options{Log: log})
	const calm = 24 * time.Hour // nobody has to prove anything, so that hours pass quickly
	if err := errors.Join(
		s.Add(supervised.Spec{Name: "store-writer", Run: db.RunWriter, Every: calm}),
		s.Add(supervised.Spec{Name: "inbox", Run: r.Run, Every: calm}),
		s.Add(supervised.Spec{Name: "dispatcher", Run: r.d.Run, Every: calm, StopGrace: time.Minute}),
	); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("supervisor: %v", err)
		}
	})
	r.stop = func() {
		cancel()
		parts.Wait()
	}
	return r
}

func (r *rig) close() {
	r.Helper()
	r.stop()
	if err := r.db.Close(); err != nil {
		r.Error(err)
	}
}

// agent stores an agent that asks for its work.
func (r *rig) agent(name string) molecule.Agent {
	r.Helper()
	a := molecule.Agent{Name: name, Kind: molecule.AgentPoll, State: molecule.AgentOnline, MaxConcurrent: 2}
	if err := r.db.CreateAgent(r.Context(), &a); err != nil {
		r.Fatal(err)
	}
	return a
}

// prompt hands a run over and returns it.
func (r *rig) prompt(a molecule.Agent, text string, limit time.Duration, tweaks ...func(*molecule.Run)) molecule.Run {
	r.Helper()
	run := molecule.Run{
		AgentID: a.ID, Agent: a.Name, Trigger: molecule.TriggerManual, State: molecule.RunClaimed,
		Slot: time.Now(), Prompt: text, Timeout: molecule.Duration(limit), MessageID: uuid.NewString(),
	}
	for _, tweak := range tweaks {
		tweak(&run)
	}
	if err := r.db.CreateRun(r.Context(), &run); err != nil {
		r.Fatal(err)
	}
	r.d.Enqueue([]molecule.Run{run})
	synctest.Wait()
	return run
}

// message posts what one agent sends to another.
func (r *rig) message(to molecule.Agent, id string) molecule.Activity {
	r.Helper()
	a := molecule.Activity{AgentID: to.ID, SourceID: r.ReplyAddress(), MessageID: id, Message: []byte(`{"role":"user"}`)}
	if err := r.Post(r.Context(), &a); err != nil {
		r.Fatal(err)
	}
	return a
}

// ask asks as the agent does and returns the rows.
func (r *rig) ask(a molecule.Agent, after string) []molecule.Activity {
	r.Helper()
	rows, err := r.Activities(r.Context(), molecule.ActivityFilter{AgentID: a.ID, After: after, HandOut: true})
	if err != nil {
		r.Fatal(err)
	}
	return rows
}

// want fails unless rows are of the messages, in this order.
func (r *rig) want(what string, rows []molecule.Activity, messages ...string) {
	r.Helper()
	var got []string
	for _, row := range rows {
		got = append(got, row.MessageID)
	}
	if len(got) != len(messages) {
		r.Fatalf("%s: it got %v, want %v", what, got, messages)
	}
	for i := range got {
		if got[i] != messages[i] {
			r.Fatalf("%s: it got %v, want %v", what, got, messages)
		}
	}
}

// says replies with a text.
func (r *rig) says(a molecule.Agent, text string, names ...string) string {
	r.Helper()
	id, err := r.Answer(r.Context(), a.ID, names, molecule.Answer{Parts: []molecule.Part{{Text: text}}})
	if err != nil {
		r.Fatal(err)
	}
	synctest.Wait()
	return id
}

// ended returns a run as it is stored.
func (r *rig) ended(id string) molecule.Run {
	r.Helper()
	run, err := r.db.Run(context.WithoutCancel(r.Context()), id)
	if err != nil {
		r.Fatal(err)
	}
	return run
}

// wantRun fails unless a run is as said.
func (r *rig) wantRun(id string, state molecule.RunState, o molecule.Outcome, said string) {
	r.Helper()
	run := r.ended(id)
	if text := run.Reply + run.Reason; run.State != state || run.Outcome != o || text != said {
		r.Errorf("the run is %s %q (%s), want %s %q (%s)", run.State, run.Outcome, text, state, o, said)
	}
}
