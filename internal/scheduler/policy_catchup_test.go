package scheduler_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// hours reads better behind a number.
const hours = time.Hour

func TestPolicyCatchUp_latest(t *testing.T) {
	t.Parallel()
	latest := molecule.Policy{CatchUp: molecule.CatchUpLatest}
	downtimes(t, []downtime{
		{"one slot passed", "0 8 * * *", latest, 20 * hours, []string{"01T08:00:00 catch_up ok"}},
		{"many passed and the newest fires", "0 * * * *", latest, 20*hours + 30*time.Minute, []string{
			"01T01:00:00-01T19:00:00x19 cron missed", "01T20:00:00 catch_up ok",
		}},
		{"the only one is a day old", "0 8 * * *", latest, 32*hours + time.Second, []string{"01T08:00:00 cron missed", "02T08:00:00 cron ok at 08:00:01"}},
		{"its period is longer than a day", "0 8 * * SAT", latest, 31 * hours, []string{"01T08:00:00 catch_up ok"}},
		{"its period is longer than a day, and so is its age", "0 8 * * SAT", latest, 33 * hours, []string{"01T08:00:00 cron missed"}},
		{"five seconds late is not late", "0 8 * * *", latest, 8*hours + 5*time.Second, []string{"01T08:00:00 cron ok at 08:00:05"}},
		{"none passed", "0 8 * * *", latest, 7 * hours, []string{}},
		{"a time of its own", "0 * * * *", molecule.Policy{CatchUpWindow: molecule.Duration(10 * time.Minute)}, 4*hours + 30*time.Minute, []string{
			"01T01:00:00-01T04:00:00x4 cron missed",
		}},
	})
}

func TestPolicyCatchUp_none(t *testing.T) {
	t.Parallel()
	none := molecule.Policy{CatchUp: molecule.CatchUpNone}
	downtimes(t, []downtime{
		{"one slot passed", "0 8 * * *", none, 9 * hours, []string{"01T08:00:00 cron missed"}},
		{"many passed", "0 * * * *", none, 5*hours + 30*time.Minute, []string{"01T01:00:00-01T05:00:00x5 cron missed"}},
		{"five seconds late is not late", "0 8 * * *", none, 8*hours + 5*time.Second, []string{"01T08:00:00 cron ok at 08:00:05"}},
		{"six are", "0 8 * * *", none, 8*hours + 6*time.Second, []string{"01T08:00:00 cron missed"}},
	})
}

func TestPolicyCatchUp_all(t *testing.T) {
	t.Parallel()
	all := func(n int, window time.Duration) molecule.Policy {
		return molecule.Policy{CatchUp: molecule.CatchUpAll, CatchUpMax: n, CatchUpWindow: molecule.Duration(window)}
	}
	downtimes(t, []downtime{
		{"all that passed", "0 * * * *", all(5, 0), 3*hours + 30*time.Minute, []string{
			"01T01:00:00 catch_up ok", "01T02:00:00 catch_up ok", "01T03:00:00 catch_up ok",
		}},
		{"at most so many", "0 * * * *", all(2, 0), 5*hours + 30*time.Minute, []string{
			"01T01:00:00-01T03:00:00x3 cron missed", "01T04:00:00 catch_up ok", "01T05:00:00 catch_up ok",
		}},
		{"at most ten when nothing is said", "0 * * * *", all(0, 0), 12*hours + 30*time.Minute, []string{
			"01T01:00:00-01T02:00:00x2 cron missed", "01T03:00:00 catch_up ok", "01T04:00:00 catch_up ok", "01T05:00:00 catch_up ok",
			"01T06:00:00 catch_up ok", "01T07:00:00 catch_up ok", "01T08:00:00 catch_up ok", "01T09:00:00 catch_up ok",
			"01T10:00:00 catch_up ok", "01T11:00:00 catch_up ok", "01T12:00:00 catch_up ok",
		}},
		{"none that is a day old", "0 */8 * * *", all(100, 0), 46 * hours, []string{
			"01T08:00:00-01T16:00:00x2 cron missed", "02T00:00:00 catch_up ok", "02T08:00:00 catch_up ok", "02T16:00:00 catch_up ok",
		}},
		{"none older than its window", "0 * * * *", all(100, 90*time.Minute), 5*hours + 15*time.Minute, []string{
			"01T01:00:00-01T03:00:00x3 cron missed", "01T04:00:00 catch_up ok", "01T05:00:00 catch_up ok",
		}},
	})
}

func TestPolicyCatchUp_window(t *testing.T) {
	t.Parallel()
	window := func(d time.Duration) molecule.Policy {
		return molecule.Policy{CatchUp: molecule.CatchUpWindow, CatchUpWindow: molecule.Duration(d)}
	}
	downtimes(t, []downtime{
		{"the newest is young enough", "0 * * * *", window(31 * time.Minute), 4*hours + 30*time.Minute, []string{
			"01T01:00:00-01T03:00:00x3 cron missed", "01T04:00:00 catch_up ok",
		}},
		{"the newest is too old", "0 * * * *", window(29 * time.Minute), 4*hours + 30*time.Minute, []string{
			"01T01:00:00-01T04:00:00x4 cron missed",
		}},
		{"longer than a day", "0 8 * * SAT", window(50 * hours), 57 * hours, []string{"01T08:00:00 catch_up ok"}},
	})
}

// downtime is what a plant that was down for so long leaves behind of one
// schedule, two minutes after it is back.
type downtime struct {
	name   string
	cron   string
	policy molecule.Policy
	down   time.Duration
	want   []string
}

func downtimes(t *testing.T, all []downtime) {
	t.Helper()
	for _, d := range all {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			w := calm
			w.on(t, func(_ *testing.T, p *plant) {
				p.agent("a", molecule.AgentExec, 1)
				p.schedule(molecule.Schedule{Name: "a", Cron: d.cron, Policy: d.policy})
				*p = *w.restart(p, d.down)
				pass(2 * time.Minute)
				p.wantTold("a", d.want...)
				p.wantCovered("a")
			})
		})
	}
}

// TestPolicyCatchUp_isSpread: many slots are late at once after a pause, and
// they do not all fire at the instant it ends.
func TestPolicyCatchUp_isSpread(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		down time.Duration
		over time.Duration // how much time
	}{
		{"a long pause, over a minute", 5*hours + 30*time.Minute, time.Minute},
		{"a short one, over a tenth of what they are late", hours + time.Minute, 6 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := calm
			w.on(t, func(t *testing.T, p *plant) {
				const n = 60
				for i := range n {
					name := fmt.Sprintf("a%02d", i)
					p.agent(name, molecule.AgentExec, 1)
					p.schedule(molecule.Schedule{Name: name, Cron: "0 * * * *"})
				}
				*p = *w.restart(p, tt.down)
				up := time.Now()
				pass(2 * time.Minute)
				parts := make(map[time.Duration]int) // of the time, in sixths
				for i := range n {
					runs := p.bySlot(fmt.Sprintf("a%02d", i))
					late := runs[len(runs)-1]
					by := late.StartedAt.Sub(up)
					if late.Trigger != molecule.TriggerCatchUp || late.Outcome != molecule.OutcomeOK || by < 0 || by > tt.over {
						t.Errorf("%s %s %s started %v behind the start", late.Schedule, late.Trigger, late.Outcome, by)
					}
					parts[by/(tt.over/6)]++
				}
				if len(parts) < 5 { // by chance alone once in 10^9 runs of this test
					t.Errorf("of %d all fired in these sixths of %v: %v", n, tt.over, parts)
				}
			})
		})
	}
}

// TestPolicyCatchUp_isSpreadTheSameAgain: what was decided is in the row, so
// that another start in the middle moves nothing.
func TestPolicyCatchUp_isSpreadTheSameAgain(t *testing.T) {
	t.Parallel()
	w := calm
	w.on(t, func(t *testing.T, p *plant) {
		due := make(map[string]time.Time)
		for i := range 20 {
			name := fmt.Sprintf("a%02d", i)
			p.agent(name, molecule.AgentExec, 1)
			p.schedule(molecule.Schedule{Name: name, Cron: "0 * * * *"})
		}
		*p = *w.restart(p, 5*hours+30*time.Minute)
		pass(20 * time.Second)
		page, err := p.db.Runs(t.Context(), molecule.RunFilter{Open: true, Limit: 100})
		if err != nil || len(page.Items) == 0 {
			t.Fatalf("%d runs are still held, %v", len(page.Items), err)
		}
		for _, r := range page.Items {
			due[r.ID] = r.DueAt
		}
		*p = *w.restart(p, 100*time.Millisecond)
		pass(time.Minute)
		for id, at := range due {
			r, err := p.db.Run(t.Context(), id)
			// One whose time came while nobody was there begins at once.
			if late := r.StartedAt.Sub(at); err != nil || r.Outcome != molecule.OutcomeOK || late < 0 || late > 2*time.Second {
				t.Errorf("due at %v it started at %v and ended %s (%v)", at, r.StartedAt, r.Outcome, err)
			}
		}
	})
}

// TestPolicyCatchUp_twoAtOnceForAnAgent: an agent with ten places is not asked to
// make up for our pause in one breath, and its other places stay free.
func TestPolicyCatchUp_twoAtOnceForAnAgent(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var late, most, onTime int
	w := world{behave: func(ctx context.Context, d molecule.Delivery) molecule.Reply {
		mu.Lock()
		if d.Run.Trigger == molecule.TriggerCatchUp {
			late++
			most = max(most, late)
			defer func() { mu.Lock(); late--; mu.Unlock() }()
		} else if late > 0 {
			onTime++
		}
		mu.Unlock()
		return takes(20*time.Second)(ctx, d)
	}}
	w.on(t, func(t *testing.T, p *plant) {
		p.agent("a", molecule.AgentExec, 10)
		for i := range 12 {
			p.schedule(molecule.Schedule{Name: fmt.Sprintf("hourly-%02d", i), Agent: "a", Cron: "0 * * * *"})
		}
		p.schedule(molecule.Schedule{Name: "often", Agent: "a", Policy: molecule.Policy{CatchUp: molecule.CatchUpNone}})
		*p = *w.restart(p, 2*hours+30*time.Minute)
		pass(10 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if most != 2 || onTime == 0 {
			t.Errorf("%d caught up at once, want 2; %d on time ran beside them", most, onTime)
		}
		for i := range 12 {
			p.wantTold(fmt.Sprintf("hourly-%02d", i), "01T01:00:00 cron missed", "01T02:00:00 catch_up ok")
		}
	})
}

// TestPolicyCatchUp_tellsThePromptWhatWasMissed: {{missed}} is what was missed
// since the run before, whichever policy let it be missed.
func TestPolicyCatchUp_tellsThePromptWhatWasMissed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		policy molecule.CatchUp
		want   []string
	}{
		{molecule.CatchUpLatest, []string{
			"missed: none",
			"missed: 2 slots from 2000-01-01T02:00:00Z to 2000-01-01T03:00:00Z", // the one that catches up
			"missed: none",
		}},
		{molecule.CatchUpNone, []string{
			"missed: none",
			"missed: 3 slots from 2000-01-01T02:00:00Z to 2000-01-01T04:00:00Z", // the next on time
			"missed: none",
		}},
	}
	for _, tt := range tests {
		t.Run(string(tt.policy), func(t *testing.T) {
			t.Parallel()
			w := calm
			w.on(t, func(t *testing.T, p *plant) {
				p.agent("a", molecule.AgentExec, 1)
				p.schedule(molecule.Schedule{
					Name: "a", Cron: "0 * * * *", Prompt: "missed: {{missed}}", Policy: molecule.Policy{CatchUp: tt.policy},
				})
				pass(hours + 30*time.Minute)
				*p = *w.restart(p, 3*hours)
				pass(30*time.Minute - time.Second)
				byHand, err := p.service.TriggerSchedule(t.Context(), "a")
				if err != nil {
					t.Fatal(err)
				}
				if tt.policy == molecule.CatchUpNone && byHand.Prompt != tt.want[1] {
					t.Errorf("a run by hand is told %q, want %q", byHand.Prompt, tt.want[1])
				}
				pass(hours + 2*time.Second)
				var got []string
				for _, r := range p.bySlot("a") {
					r, err := p.db.Run(t.Context(), r.ID)
					if err != nil {
						t.Fatal(err)
					}
					if r.Outcome == molecule.OutcomeOK && r.Trigger != molecule.TriggerManual {
						got = append(got, r.Prompt)
					}
				}
				if diff := cmp.Diff(got[:3], tt.want); diff != "" {
					t.Errorf("prompts (-got +want):\n%s", diff)
				}
			})
		})
	}
}
