package retention_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/retention"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// unit stands for a unit: in virtual time the writer still proves itself with a
// commit each few seconds, and a day of those takes seconds.
const unit = 10 * time.Minute

// rules keep little of everything.
func rules() retention.Rules {
	return retention.Rules{
		Runs: 3, RunAge: 10 * unit, FailureAge: 50 * unit, MaxRuns: 1000, AgentRuns: 2, AgentRunAge: 5 * unit,
		HourAge: 60 * unit, DayAge: 600 * unit, EventAge: 10 * unit, MaxEvents: 5000, SubsystemEventAge: 10 * unit,
		IncidentAge: 30 * unit, PromptAge: unit, RemovedAge: 10 * unit,
	}
}

// plant is a real store and a keeper, in virtual time.
type plant struct {
	t     *testing.T
	dir   string
	db    *sqlite.DB
	agent molecule.Agent
	sched molecule.Schedule
	watch *supervised.Supervisor
}

// newPlant returns one with an agent "echo" and its schedule "hello", and no
// keeper yet. Call it inside a bubble.
func newPlant(t *testing.T, dir string) *plant {
	t.Helper()
	p := &plant{t: t, dir: dir, db: sqlitetest.OpenDir(t, dir)}
	p.agent = sqlitetest.Agent(t, p.db, "echo")
	p.sched = sqlitetest.Schedule(t, p.db, "echo", "hello", molecule.Now().Add(1000*unit))
	return p
}

// keep runs a keeper until the test ends, waits for what it does at once and
// returns it.
func (p *plant) keep(r retention.Rules, tweaks ...func(*retention.Options)) *retention.Keeper {
	p.t.Helper()
	o := retention.Options{Store: p.db, Rules: r, Log: slog.New(slog.DiscardHandler)}
	for _, tweak := range tweaks {
		tweak(&o)
	}
	p.watch = supervised.New(supervised.Options{})
	keeper := retention.New(o)
	err := p.watch.Add(supervised.Spec{Name: "retention", Run: keeper.Run, Every: time.Hour, Optional: true})
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := p.watch.Run(ctx); err != nil {
			p.t.Error(err)
		}
	})
	p.t.Cleanup(func() { cancel(); running.Wait() })
	p.settle()
	return keeper
}

// settle waits until nothing happens any more at this instant.
func (p *plant) settle() {
	synctest.Wait()
	time.Sleep(0)
	synctest.Wait()
}

// past is a run of an outcome that many days ago.
type past struct {
	days    int
	outcome molecule.Outcome
}

// runs stores runs of a schedule; of none when s is nil.
func (p *plant) runs(s *molecule.Schedule, list ...past) []molecule.Run {
	p.t.Helper()
	runs := make([]molecule.Run, len(list))
	for i, l := range list {
		at := molecule.Now().Add(-time.Duration(l.days) * unit)
		runs[i] = molecule.Run{AgentID: p.agent.ID, Trigger: molecule.TriggerManual, Slot: at, StartedAt: at, EndedAt: at.Add(time.Second), Outcome: l.outcome}
		if s != nil {
			runs[i].ScheduleID, runs[i].Trigger = s.ID, molecule.TriggerCron
		}
	}
	sqlitetest.Past(p.t, p.dir, runs)
	return runs
}

// kept returns how many days old the runs are that are left, oldest first.
func (p *plant) kept(now time.Time) []int {
	p.t.Helper()
	page, err := p.db.Runs(p.t.Context(), molecule.RunFilter{Limit: molecule.MaxLimit})
	if err != nil {
		p.t.Fatal(err)
	}
	days := []int{}
	for _, r := range slices.Backward(page.Items) {
		days = append(days, int(now.Sub(r.Slot)/unit))
	}
	return days
}

// number returns what a statement finds in the file.
func (p *plant) number(text string) (n int) {
	p.t.Helper()
	sqlitetest.Raw(p.t, p.dir, func(tx *sql.Tx) error { return tx.QueryRow(text).Scan(&n) })
	return n
}

func TestKeeper_takesNewRulesWithTheNextPass(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p, now := newPlant(t, dir), molecule.Now()
		p.runs(&p.sched, past{30, molecule.OutcomeOK}, past{20, molecule.OutcomeOK}, past{15, molecule.OutcomeOK})
		keeper := p.keep(rules())
		if diff := cmp.Diff(p.kept(now), []int{30, 20, 15}); diff != "" {
			t.Fatalf("of the first rules (-got +want):\n%s", diff)
		}
		fewer := rules()
		fewer.Runs = 1
		keeper.SetRules(fewer)
		time.Sleep(time.Hour) // longer than it ever rests
		p.settle()
		if diff := cmp.Diff(p.kept(now), []int{15}); diff != "" {
			t.Errorf("of the new ones (-got +want):\n%s", diff)
		}
	})
}

func TestKeeper_keepsTheRunsThatTheRulesWant(t *testing.T) {
	t.Parallel()
	const ok, failed, missed, skipped = molecule.OutcomeOK, molecule.OutcomeFailed, molecule.OutcomeMissed, molecule.OutcomeSkippedOverlap
	budget := func(days int) molecule.Budget {
		return molecule.Budget{Tokens: 1000, Window: molecule.Duration(time.Duration(days) * unit)}
	}
	tests := []struct {
		name  string
		rules func(*retention.Rules)
		store func(p *plant)
		want  []int
	}{
		{"the newest, however old", nil, func(p *plant) {
			p.runs(&p.sched, past{500, ok}, past{400, ok}, past{300, failed}, past{200, ok}, past{100, ok})
		}, []int{300, 200, 100}},
		{"the young, however many", nil, func(p *plant) {
			p.runs(&p.sched, past{20, ok}, past{11, ok}, past{9, ok}, past{8, ok}, past{7, ok}, past{6, ok}, past{5, ok})
		}, []int{9, 8, 7, 6, 5}},
		{"failures longer", nil, func(p *plant) {
			p.runs(&p.sched, past{60, failed}, past{52, missed}, past{49, missed}, past{48, ok}, past{47, failed}, past{46, skipped}, past{45, molecule.OutcomeQuiet},
				past{44, molecule.OutcomeBlocked}, past{12, ok}, past{11, ok}, past{3, ok}, past{2, ok})
		}, []int{49, 47, 44, 11, 3, 2}},
		{"what is open", nil, func(p *plant) {
			p.runs(&p.sched, past{900, ""}, past{800, ok}, past{3, ok}, past{2, ok}, past{1, ok})
		}, []int{900, 3, 2, 1}},
		{"what one that stays repeats", nil, func(p *plant) {
			first := p.runs(&p.sched, past{900, failed}, past{800, failed}, past{3, ok}, past{2, ok}, past{1, ok})
			sqlitetest.Past(p.t, p.dir, []molecule.Run{{
				ScheduleID: p.sched.ID, AgentID: p.agent.ID, Trigger: molecule.TriggerRetry, RetryOf: first[1].ID, Slot: molecule.Now(), Outcome: ok,
			}})
		}, []int{800, 3, 2, 1, 0}},
		{"no more than there may be in all, good ones first", func(r *retention.Rules) { r.MaxRuns = 4 }, func(p *plant) {
			p.runs(&p.sched, past{9, failed}, past{8, ok}, past{7, failed}, past{6, ok}, past{5, ok}, past{4, ok}, past{3, ok}, past{2, ok})
		}, []int{9, 7, 5, 4, 3, 2}},
		{"far too many in all, failures too", func(r *retention.Rules) { r.MaxRuns = 3 }, func(p *plant) {
			p.runs(&p.sched, past{9, failed}, past{8, ok}, past{7, failed}, past{6, failed}, past{5, failed}, past{4, failed}, past{3, failed}, past{2, failed})
		}, []int{7, 6, 5, 4, 3, 2}},
		{"what a budget of the schedule counts", nil, func(p *plant) {
			p.budget(budget(20))
			p.runs(&p.sched, past{22, ok}, past{19, ok}, past{18, ok}, past{17, ok}, past{16, ok}, past{15, ok})
		}, []int{19, 18, 17, 16, 15}},
		{"what a budget of an agent counts", nil, func(p *plant) {
			p.agentBudget(budget(20))
			p.runs(&p.sched, past{22, ok}, past{19, ok}, past{18, ok}, past{17, ok}, past{16, ok}, past{15, ok})
		}, []int{19, 18, 17, 16, 15}},
		{"what the budget of all counts, though there are too many", func(r *retention.Rules) { r.Budget, r.MaxRuns = budget(20), 3 }, func(p *plant) {
			p.runs(&p.sched, past{22, ok}, past{19, ok}, past{18, ok}, past{17, ok}, past{16, ok}, past{15, ok})
		}, []int{19, 18, 17, 16, 15}},
		{"a budget without a bound counts nothing", func(r *retention.Rules) { r.Budget.Window = molecule.Duration(20 * unit) }, func(p *plant) {
			p.runs(&p.sched, past{19, ok}, past{18, ok}, past{17, ok}, past{16, ok}, past{15, ok})
		}, []int{17, 16, 15}},
		{"of a schedule that was removed, the young", nil, func(p *plant) {
			p.runs(&p.sched, past{60, failed}, past{40, failed}, past{30, ok}, past{9, ok}, past{8, ok})
			p.must(p.db.RemoveSchedule(p.t.Context(), "hello", nil))
		}, []int{40, 9, 8}},
		{"of no schedule", nil, func(p *plant) {
			p.runs(nil, past{90, ok}, past{40, failed}, past{30, ok}, past{20, ok}, past{10, ok})
		}, []int{40, 20, 10}},
		{"of each schedule its own", nil, func(p *plant) {
			other := sqlitetest.Schedule(p.t, p.db, "echo", "other", molecule.Now().Add(unit))
			p.runs(&p.sched, past{31, ok}, past{29, ok})
			for _, days := range []int{28, 27, 26, 25} {
				sqlitetest.Past(p.t, p.dir, []molecule.Run{{
					ScheduleID: other.ID, AgentID: p.agent.ID, Trigger: molecule.TriggerCron, Slot: molecule.Now().Add(-time.Duration(days) * unit), Outcome: ok,
				}})
			}
			p.runs(nil, past{24, ok})
		}, []int{31, 29, 27, 26, 25, 24}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				p := newPlant(t, dir)
				tt.store(p)
				r := rules()
				if tt.rules != nil {
					tt.rules(&r)
				}
				p.keep(r)
				if diff := cmp.Diff(p.kept(molecule.Now()), tt.want); diff != "" {
					t.Errorf("days of the runs kept (-got +want):\n%s", diff)
				}
			})
		})
	}
}

func (p *plant) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *plant) budget(b molecule.Budget) {
	p.t.Helper()
	_, err := p.db.UpdateSchedule(p.t.Context(), "hello", molecule.EventScheduleUpdated, func(s *molecule.Schedule) error { s.Budget = &b; return nil })
	p.must(err)
}

func (p *plant) agentBudget(b molecule.Budget) {
	p.t.Helper()
	_, err := p.db.UpdateAgent(p.t.Context(), "echo", func(a *molecule.Agent) error { a.Budget = b; return nil })
	p.must(err)
}

// TestKeeper_goesOnAsTimePasses: each run goes when its time has come, and what
// it came to stays.
func TestKeeper_goesOnAsTimePasses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, dir)
		began := molecule.Now()
		runs := p.runs(&p.sched, past{9, "ok"}, past{8, "ok"}, past{7, "failed"}, past{6, "ok"}, past{3, "ok"}, past{2, "ok"}, past{1, "ok"})
		p.keep(rules())
		for _, step := range []struct {
			wait time.Duration
			want []int // days before the beginning
		}{
			{unit - time.Minute, []int{9, 8, 7, 6, 3, 2, 1}},
			{6 * time.Minute, []int{8, 7, 6, 3, 2, 1}},
			{3 * unit, []int{7, 3, 2, 1}},
			{43 * unit, []int{3, 2, 1}},
		} {
			time.Sleep(step.wait)
			p.settle()
			if diff := cmp.Diff(p.kept(began), step.want); diff != "" {
				t.Errorf("after another %v (-got +want):\n%s", step.wait, diff)
			}
		}
		page, err := p.db.ScheduleHistory(t.Context(), p.sched.ID, molecule.HistoryFilter{})
		total, took := 0, int64(0)
		for _, d := range page.Items {
			total, took = total+d.Runs, took+d.Took.SumMillis
		}
		if err != nil || total != len(runs) || took != int64(len(runs))*1000 {
			t.Errorf("the history has %d runs of %d ms, %v; want all %d", total, took, err, len(runs))
		}
		s, err := p.db.Schedule(t.Context(), "hello")
		if diff := cmp.Diff([]int{s.Fired, s.FailureStreak, len(s.Recent)}, []int{p.sched.Fired, p.sched.FailureStreak, 3}); err != nil || diff != "" {
			t.Errorf("the counters of the schedule, %v (-got +want):\n%s", err, diff)
		}
	})
}

func TestKeeper_prunesWhatElseIsOld(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, dir)
		p.runs(&p.sched, past{700, "ok"}, past{100, "ok"}, past{90, "ok"}, past{3, "ok"}, past{2, "ok"}, past{1, "ok"})
		gone := sqlitetest.Schedule(t, p.db, sqlitetest.Agent(t, p.db, "old").Name, "gone", molecule.Now())
		p.must(p.db.RemoveSchedule(t.Context(), gone.Name, nil))
		p.must(p.db.RemoveAgent(t.Context(), "old"))
		closed := molecule.Incident{
			ID: "0199aaaa-0000-7000-8000-000000000001", Kind: molecule.IncidentSubsystem, Subject: "subsystem/a", Severity: molecule.SeverityWarning,
			Title: "late", FirstSeen: molecule.Now(), LastSeen: molecule.Now(), ClosedAt: molecule.Now(), Count: 1,
		}
		p.must(p.db.SaveIncidents(t.Context(), []molecule.Incident{closed}))
		for range 30 { // many more than stay whatever they are
			p.must(p.db.AppendSubsystemEvents(t.Context(), slices.Repeat([]molecule.SubsystemEvent{{At: molecule.Now(), Subsystem: "a"}}, 50)))
		}
		sqlitetest.Raw(t, dir, func(tx *sql.Tx) error {
			_, err := tx.Exec(`UPDATE subsystem_events SET at = '2000-01-01T00:00:00.000Z'`)
			return err
		})
		counts := func() []int {
			return []int{
				p.number(`SELECT COUNT(*) FROM events`), p.number(`SELECT COUNT(*) FROM subsystem_events`), p.number(`SELECT COUNT(*) FROM incidents`),
				p.number(`SELECT COUNT(*) FROM agents`), p.number(`SELECT COUNT(*) FROM schedules`), p.number(`SELECT COUNT(*) FROM prompts`),
				p.number(`SELECT COUNT(*) FROM rollups WHERE span = 'hour'`), p.number(`SELECT COUNT(*) FROM rollups WHERE span = 'day'`),
			}
		}
		p.keep(rules())
		all := p.number(`SELECT COUNT(*) FROM events`)
		if diff := cmp.Diff(counts(), []int{all, 1500, 1, 2, 2, 2, 0, 1}); diff != "" {
			t.Errorf("at once (-got +want):\n%s", diff)
		}
		time.Sleep(11 * unit)
		p.settle()
		if diff := cmp.Diff(counts(), []int{1000, 1000, 1, 1, 1, 2, 0, 1}); diff != "" {
			t.Errorf("eleven days later (-got +want):\n%s", diff)
		}
		time.Sleep(20 * unit)
		p.settle()
		if diff := cmp.Diff(counts(), []int{1000, 1000, 0, 1, 1, 1, 0, 1}); diff != "" {
			t.Errorf("another twenty days later (-got +want):\n%s", diff)
		}
	})
}

func TestKeeper_prunesThePromptsThatNothingHas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, dir)
		const n = 200
		for i := range n {
			r := molecule.Run{
				AgentID: p.agent.ID, Prompt: fmt.Sprintf("prompt %d", i), Trigger: molecule.TriggerManual, State: molecule.RunClaimed, Slot: molecule.Now(),
			}
			p.must(p.db.CreateRun(t.Context(), &r))
			if i%3 > 0 {
				_, err := p.db.FinishRun(t.Context(), molecule.Finish{RunID: r.ID, Outcome: "ok", EndedAt: molecule.Now()})
				p.must(err)
			}
		}
		p.keep(rules())
		if got := p.number(`SELECT COUNT(*) FROM prompts`); got != n+1 {
			t.Errorf("%d prompts are kept while their runs are", got)
		}
		time.Sleep(5*unit + unit/2) // their runs go
		if got := p.number(`SELECT COUNT(*) FROM prompts`); got != n+1 {
			t.Errorf("%d prompts are kept just after their runs went", got)
		}
		time.Sleep(2 * unit)
		p.settle()
		left, had := p.number(`SELECT COUNT(*) FROM prompts`), p.number(`SELECT COUNT(DISTINCT prompt_id) FROM runs`)
		// Runs go on that are open, and the newest two are kept as well.
		if left != had+1 || had < n/3 || had > n/3+3 {
			t.Errorf("%d prompts are left, runs have %d of them; want those and that of the schedule", left, had)
		}
		if lost := p.number(`SELECT COUNT(*) FROM runs WHERE prompt_id NOT IN (SELECT id FROM prompts)`); lost != 0 {
			t.Errorf("%d runs have lost their prompt", lost)
		}
	})
}

// failing is a store of which one method fails for a while.
type failing struct {
	*sqlite.DB
	prune func(ids []string) error
	find  func() error
}

func (f *failing) PruneRuns(ctx context.Context, ids []string) (int, time.Duration, error) {
	if err := f.prune(ids); err != nil {
		return 0, 0, err
	}
	return f.DB.PruneRuns(ctx, ids)
}

func (f *failing) Overfull(ctx context.Context, after string, n, keep int, below string) ([]molecule.Overfull, string, error) {
	if err := f.find(); err != nil {
		return nil, "", err
	}
	return f.DB.Overfull(ctx, after, n, keep, below)
}

// TestKeeper_fillsSlicesAcrossSchedules: a slice costs something of its own, and
// of each of many schedules there is little to prune at a time.
func TestKeeper_fillsSlicesAcrossSchedules(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, dir)
		const schedules = 40
		var runs []molecule.Run
		for i := range schedules {
			s := sqlitetest.Schedule(t, p.db, "echo", fmt.Sprintf("s%d", i), molecule.Now().Add(unit))
			for _, days := range []int{60, 15, 14, 13} { // the newest three stay
				runs = append(runs, molecule.Run{
					ScheduleID: s.ID, AgentID: p.agent.ID, Trigger: molecule.TriggerCron,
					Slot: molecule.Now().Add(-time.Duration(days) * unit), Outcome: "ok",
				})
			}
		}
		sqlitetest.Past(t, dir, runs)
		slices, gone := 0, 0
		p.keep(rules(), func(o *retention.Options) {
			o.Pruned = func(kind string, n int, _ time.Duration) {
				if kind == "runs" {
					slices, gone = slices+1, gone+n
				}
			}
		})
		if gone != schedules || slices > 5 {
			t.Errorf("%d runs went in %d slices, want %d in a few", gone, slices, schedules)
		}
	})
}

func TestKeeper_prunesAroundARowThatCannotGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, dir)
		var list []past
		for days := 60; days > 12; days-- {
			list = append(list, past{days, "ok"})
		}
		bad := p.runs(&p.sched, list...)[20]
		other := sqlitetest.Schedule(t, p.db, "echo", "zzz", molecule.Now().Add(unit)) // behind it
		p.sched = other
		for i := range list {
			list[i].days += 100
		}
		for _, l := range list {
			sqlitetest.Past(t, dir, []molecule.Run{{
				ScheduleID: other.ID, AgentID: p.agent.ID, Trigger: molecule.TriggerCron, Slot: molecule.Now().Add(-time.Duration(l.days) * unit), Outcome: "ok",
			}})
		}
		store := &failing{DB: p.db, find: func() error { return nil }, prune: func(ids []string) error {
			if slices.Contains(ids, bad.ID) {
				return errors.New("poison")
			}
			return nil
		}}
		p.keep(rules(), func(o *retention.Options) { o.Store = store })
		if diff := cmp.Diff(p.kept(molecule.Now()), []int{115, 114, 113, 40, 15, 14, 13}); diff != "" {
			t.Errorf("days of the runs kept (-got +want):\n%s", diff)
		}
		if s := p.watch.Snapshot()[0]; s.LastError == "" {
			t.Error("nobody is told of the row")
		}
	})
}

func TestKeeper_goesOnWhenTheStoreAnswersAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, dir)
		p.runs(&p.sched, past{60, "ok"}, past{50, "ok"}, past{3, "ok"}, past{2, "ok"}, past{1, "ok"})
		p.runs(nil, past{60, "ok"}, past{50, "ok"}, past{40, "ok"})
		var mu sync.Mutex
		fault := error(molecule.Errorf(molecule.Unavailable, "locked"))
		store := &failing{DB: p.db, prune: func([]string) error { return nil }, find: func() error { mu.Lock(); defer mu.Unlock(); return fault }}
		set := func(err error) { mu.Lock(); defer mu.Unlock(); fault = err }
		p.keep(rules(), func(o *retention.Options) { o.Store = store })
		if n := len(p.kept(molecule.Now())); n != 8 {
			t.Errorf("%d runs are kept while the store does not answer", n)
		}
		set(errors.New("no such column")) // of one step: the others go on
		time.Sleep(6 * time.Minute)
		p.settle()
		if n := len(p.kept(molecule.Now())); n != 7 {
			t.Errorf("%d runs are kept while schedules cannot be looked at", n)
		}
		if s := p.watch.Snapshot()[0]; s.LastError == "" {
			t.Error("nobody is told that schedules cannot be looked at")
		}
		set(nil)
		time.Sleep(6 * time.Minute)
		p.settle()
		if n, s := len(p.kept(molecule.Now())), p.watch.Snapshot()[0]; n != 5 || s.LastError != "" {
			t.Errorf("then %d runs are kept; %+v", n, s)
		}
	})
}

// TestKeeper_staysAliveWithNothingToDo for hours.
func TestKeeper_staysAliveWithNothingToDo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, dir)
		p.keep(rules())
		for range 6 {
			if s := p.watch.Snapshot()[0]; s.State != molecule.SubsystemHealthy || s.Restarts != 0 {
				t.Errorf("it is %+v", s)
			}
			time.Sleep(time.Hour)
		}
	})
}
