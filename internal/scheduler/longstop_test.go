package scheduler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// everything is whether the long form of a simulation is wanted: make simulate.
func everything() bool { return os.Getenv("MOLECULE_SIMULATE") == "all" }

// crowd counts, for each agent, the late runs that are under way.
type crowd struct {
	mu    sync.Mutex
	now   map[string]int
	most  map[string]int
	began map[int]int // in each ten seconds behind up
	up    time.Time
}

func (c *crowd) deliver(ctx context.Context, d molecule.Delivery) molecule.Reply {
	if d.Run.Trigger != molecule.TriggerCatchUp {
		return takes(time.Second)(ctx, d)
	}
	c.mu.Lock()
	c.now[d.Agent.Name]++
	c.most[d.Agent.Name] = max(c.most[d.Agent.Name], c.now[d.Agent.Name])
	c.began[int(time.Since(c.up)/(10*time.Second))]++
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.now[d.Agent.Name]--
		c.mu.Unlock()
	}()
	return takes(time.Second)(ctx, d)
}

// many stores n schedules of so many agents at once, each at another minute: a
// third of them hourly, a third every ten minutes, a third daily.
func (p *plant) many(n, agents int) {
	p.t.Helper()
	for i := range agents {
		p.agent(fmt.Sprintf("agent-%03d", i), molecule.AgentExec, 10)
	}
	var makers sync.WaitGroup
	for w := range 250 {
		makers.Go(func() {
			for i := w; i < n; i += 250 {
				cron := [...]string{
					fmt.Sprintf("%d * * * *", i%60), fmt.Sprintf("%d-59/10 * * * *", i%10), fmt.Sprintf("%d %d * * *", i%60, i%24),
				}[i%3]
				s := molecule.Schedule{Name: fmt.Sprintf("s%05d", i), Agent: fmt.Sprintf("agent-%03d", i%agents), Cron: cron, Prompt: "work"}
				if err := p.service.CreateSchedule(p.t.Context(), &s); err != nil {
					p.t.Error(err)
				}
			}
		})
	}
	makers.Wait()
}

// history reads every run there is, by the name of its schedule, the oldest
// first.
func (p *plant) history() map[string][]molecule.Run {
	p.t.Helper()
	all := make(map[string][]molecule.Run)
	f := molecule.RunFilter{Limit: molecule.MaxLimit}
	for {
		page, err := p.db.Runs(p.t.Context(), f)
		if err != nil {
			p.t.Fatal(err)
		}
		for _, r := range page.Items { // newest first
			all[r.Schedule] = append(all[r.Schedule], r)
		}
		if page.Next == "" {
			break
		}
		f.Cursor = page.Next
	}
	for _, rows := range all {
		slices.Reverse(rows)
	}
	return all
}

// TestLongStop_firesEachScheduleOnceAtMost is the morning after: the daemon was
// down for twelve hours. MOLECULE_SIMULATE=all gives it 10,000 schedules.
func TestLongStop_firesEachScheduleOnceAtMost(t *testing.T) {
	t.Parallel()
	const agents, down = 100, 12*time.Hour + 30*time.Second
	n := 1000
	if everything() {
		n = 10_000
	}
	c := &crowd{now: make(map[string]int), most: make(map[string]int), began: make(map[int]int)}
	w := world{behave: c.deliver, calm: true}
	idle := w
	idle.idle = true
	idle.on(t, func(t *testing.T, p *plant) {
		p.many(n, agents)
		from := time.Now()
		*p = *w.restart(p, down)
		c.up = time.Now()
		pass(4 * time.Minute)
		for agent, most := range c.most {
			if most > 2 {
				t.Errorf("%s made up for %d at once", agent, most)
			}
		}
		late, missed := 0, 0
		for name, rows := range p.history() {
			mine, slots := 0, 0
			for _, r := range rows {
				switch {
				case r.Slot.After(c.up): // on time again
					continue
				case r.Trigger == molecule.TriggerCatchUp && r.Outcome == molecule.OutcomeOK:
					mine++
				case r.Outcome == molecule.OutcomeMissed:
					missed += r.Slots
				default:
					t.Errorf("%s: the slot %v is %s %s %s", name, r.Slot, r.Trigger, r.State, r.Outcome)
				}
				slots += r.Slots
			}
			late += mine
			if want := p.slotsOf(name, from, c.up); mine > 1 || slots != want {
				t.Errorf("%s fired %d times late and covers %d of %d slots", name, mine, slots, want)
			}
		}
		for tens := range 6 { // some begin later, where two at once are not enough
			if c.began[tens] < n/25 {
				t.Errorf("they began in these parts of ten seconds: %v", c.began)
			}
		}
		p.wantDigest(late, missed)
		t.Logf("%d fired late and %d slots were missed of %d schedules; begun in each ten seconds: %v", late, missed, n, c.began)
	})
}

// slotsOf counts the slots of a schedule behind from, up to to.
func (p *plant) slotsOf(name string, from, to time.Time) int {
	p.t.Helper()
	s, err := p.service.Schedule(p.t.Context(), name)
	if err != nil {
		p.t.Fatal(err)
	}
	spec, err := cron.Parse(s.Cron, cron.Options{TZ: s.TZ})
	if err != nil {
		p.t.Fatal(err)
	}
	n, err := spec.CountBetween(from.Add(time.Nanosecond), to, 1_000_000)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// wantDigest wants one event that tells of all that was missed.
func (p *plant) wantDigest(late, missed int) {
	p.t.Helper()
	events, err := p.db.Events(p.t.Context(), molecule.EventFilter{Types: []string{molecule.EventSchedulesMissed}})
	if err != nil || len(events.Items) != 1 {
		p.t.Fatalf("%d digests (%v), want one", len(events.Items), err)
	}
	var told struct {
		Schedules int      `json:"schedules"`
		Missed    int      `json:"missed"`
		Late      int      `json:"late"`
		Names     []string `json:"names"`
	}
	if err := json.Unmarshal(events.Items[0].Data, &told); err != nil {
		p.t.Fatal(err)
	}
	if told.Late != late || told.Missed != missed || told.Schedules < late || len(told.Names) != 20 {
		p.t.Errorf("the digest tells %+v, want %d late and %d missed", told, late, missed)
	}
}
