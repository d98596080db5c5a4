package scheduler_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// simulation is weeks of a plant on which everything happens that may: downtime,
// outages of agents, jumps of the clock, changes of every kind. What comes next
// depends on the seed alone.
type simulation struct {
	*plant
	world world
	rnd   *rand.Rand
	names []string          // of schedules, gone ones too
	spans map[string][]span // of the slots each of them should have
	log   []string          // what was done
	there atomic.Bool       // push agents are
	fast  atomic.Bool       // every agent answers at once
	clock wall
	asked agentsAsked
}

// agentsAsked holds couriers to what an agent may be asked at once.
type agentsAsked struct {
	mu   sync.Mutex
	now  map[string]int
	late map[string]int
	bad  []string
}

func (a *agentsAsked) begin(d molecule.Delivery) (end func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	late := 0
	if d.Run.Trigger == molecule.TriggerCatchUp {
		late = 1
	}
	a.now[d.Agent.ID]++
	a.late[d.Agent.ID] += late
	if a.now[d.Agent.ID] > d.Agent.MaxConcurrent || a.late[d.Agent.ID] > 2 {
		a.bad = append(a.bad, fmt.Sprintf("%s has %d at once, %d of them late", d.Agent.Name, a.now[d.Agent.ID], a.late[d.Agent.ID]))
	}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.now[d.Agent.ID]--
		a.late[d.Agent.ID] -= late
	}
}

// deliver behaves as chance wants, the same for each attempt of a run.
func (s *simulation) deliver(ctx context.Context, d molecule.Delivery) molecule.Reply {
	defer s.asked.begin(d)()
	if s.fast.Load() {
		return fine(ctx, d)
	}
	r := rand.New(rand.NewPCG(uint64(d.Run.Slot.UnixMilli()), uint64(d.Attempt)))
	if d.Agent.Kind == molecule.AgentPush && !s.there.Load() {
		return nobody
	}
	if molecule.Sleep(ctx, time.Duration(r.Int64N(int64(10*time.Minute)))) != nil {
		return stopped(ctx)
	}
	switch r.IntN(12) {
	case 0:
		return broken
	case 1:
		return molecule.Reply{Answered: true, Exit: &molecule.Exit{Code: 1}}
	case 2:
		return molecule.Reply{Answered: true, HTTPStatus: 503, RetryAfter: time.Minute}
	case 3:
		<-ctx.Done()
		return stopped(ctx)
	case 4:
		panic("injected")
	}
	return fine(ctx, d)
}

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// policy draws a policy that is valid.
func (s *simulation) policy() molecule.Policy {
	r := s.rnd
	p := molecule.Policy{
		CatchUp: pick(r, molecule.CatchUpLatest, molecule.CatchUpNone, molecule.CatchUpAll, molecule.CatchUpWindow),
		Overlap: pick(r, molecule.OverlapSkip, molecule.OverlapQueue, molecule.OverlapReplace, molecule.OverlapAllow),
		Resend:  pick(r, molecule.ResendNever, molecule.ResendSafe),
	}
	if p.CatchUp == molecule.CatchUpAll {
		p.CatchUpMax = 1 + r.IntN(12)
	}
	if p.CatchUp == molecule.CatchUpWindow || p.CatchUp != molecule.CatchUpNone && r.IntN(4) == 0 {
		p.CatchUpWindow = molecule.Duration(1+r.IntN(40)) * molecule.Duration(time.Hour)
	}
	if r.IntN(3) == 0 {
		p.Jitter = molecule.Duration(1+r.IntN(90)) * molecule.Duration(time.Minute)
		p.JitterMode = pick(r, molecule.JitterOffset, molecule.JitterSpread)
	}
	if r.IntN(3) == 0 {
		p.Exclusions = []string{"days"}
	}
	if r.IntN(4) == 0 {
		p.Budget = &molecule.Budget{Runs: 1 + r.IntN(8), Window: molecule.Duration(1+r.IntN(24)) * molecule.Duration(time.Hour)}
	}
	if r.IntN(5) == 0 {
		p.MaxRuns = 1 + r.IntN(60)
	}
	if r.IntN(4) == 0 {
		p.Until = molecule.Now().Add(time.Duration(1+r.IntN(pick(r, 5, 200))) * time.Hour)
	}
	if r.IntN(4) == 0 {
		p.Retries = ptr(r.IntN(4))
	}
	return p
}

func (s *simulation) expression() string {
	return pick(s.rnd, "0 * * * *", "*/10 * * * *", "17 */3 * * *", "30 2 * * *", "0 8,12,20 * * *", "5,35 6-22 * * MON-FRI", "@every 47m", "0 0 * * SUN")
}

func (s *simulation) zone() string {
	return pick(s.rnd, "UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu")
}

// act does one thing that chance wants and takes it into what is expected.
func (s *simulation) act() {
	name := pick(s.rnd, s.names...)
	switch s.rnd.IntN(14) {
	case 0, 1:
		down := time.Duration(s.rnd.Int64N(int64(pick(s.rnd, time.Minute, 2*time.Hour, 36*time.Hour))))
		s.did("down for %v", down)
		*s.plant = *s.world.restart(s.plant, down)
	case 2:
		s.there.Store(!s.there.Load())
		s.did("push agents are there: %v", s.there.Load())
	case 3:
		state := pick(s.rnd, molecule.AgentOffline, molecule.AgentOnline, molecule.AgentPaused)
		agent := pick(s.rnd, "push", "narrow", "wide")
		s.did("agent %s is %s", agent, state)
		s.believe(agent, state)
	case 4:
		s.clock.set(time.Duration(s.rnd.Int64N(int64(8*time.Hour))) - 4*time.Hour)
		s.did("the clock jumps")
	case 5:
		s.did("other days are excluded")
		day := molecule.Now().AddDate(0, 0, s.rnd.IntN(3)).Format(time.DateOnly)
		s.calendar("days", day)
	case 6:
		s.byHand(name)
	case 7:
		s.cancel()
	case 8, 9:
		s.change(name, "pause or resume", func(before molecule.Schedule) error {
			if before.State == molecule.ScheduleActive {
				_, err := s.service.PauseSchedule(s.t.Context(), name)
				return err
			}
			_, err := s.service.ResumeSchedule(s.t.Context(), name)
			return err
		})
	case 10:
		s.change(name, "another expression", func(molecule.Schedule) error {
			up := molecule.ScheduleUpdate{Cron: ptr(s.expression()), TZ: ptr(s.zone())}
			_, err := s.service.UpdateSchedule(s.t.Context(), name, up)
			return err
		})
	case 11, 12:
		s.change(name, "another policy", func(molecule.Schedule) error {
			p := s.policy()
			up := molecule.ScheduleUpdate{
				CatchUp: &p.CatchUp, CatchUpMax: &p.CatchUpMax, CatchUpWindow: &p.CatchUpWindow, Overlap: &p.Overlap, Resend: &p.Resend,
				Jitter: &p.Jitter, JitterMode: &p.JitterMode, Exclusions: &p.Exclusions, MaxRuns: &p.MaxRuns, Until: &p.Until,
			}
			if p.Jitter == 0 {
				up.JitterMode = nil
			}
			_, err := s.service.UpdateSchedule(s.t.Context(), name, up)
			return err
		})
	case 13:
		if len(s.names) < 20 {
			s.add()
		}
	}
}

func (s *simulation) did(format string, args ...any) {
	s.log = append(s.log, molecule.Now().Format("02T15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// check allows for what may not be done now: to end a run that is over, to let a
// schedule begin that would never fire.
func (s *simulation) check(err error) {
	s.t.Helper()
	if code := molecule.CodeOf(err); err != nil && code != molecule.Conflict && code != molecule.Invalid {
		s.t.Errorf("%s: %v", s.log[len(s.log)-1], err)
	}
}

// believe makes the store believe that an agent is in a state.
func (s *simulation) believe(agent string, state molecule.AgentState) {
	_, err := s.db.SetAgentState(s.t.Context(), agent, func(a *molecule.Agent) error { a.State = state; return nil })
	s.check(err)
}

func (s *simulation) byHand(name string) {
	s.did("%s is run by hand", name)
	_, err := s.service.TriggerSchedule(s.t.Context(), name)
	s.check(err)
}

func (s *simulation) cancel() {
	page, err := s.db.Runs(s.t.Context(), molecule.RunFilter{Open: true})
	s.check(err)
	if len(page.Items) == 0 {
		return
	}
	r := pick(s.rnd, page.Items...)
	s.did("the run of %s of %s is canceled", r.Slot, r.Schedule)
	_, err = s.service.CancelRun(s.t.Context(), r.ID)
	s.check(err)
}

// add makes one more schedule.
func (s *simulation) add() {
	in := molecule.Schedule{
		Name: fmt.Sprintf("s%02d", len(s.names)), Agent: pick(s.rnd, "push", "narrow", "wide"), Cron: s.expression(), TZ: s.zone(),
		DST: string(pick(s.rnd, cron.DSTVixie, cron.DSTSkip, cron.DSTBoth)), Prompt: pick(s.rnd, "work", "missed: {{missed}}"),
		Timeout: molecule.Duration(1+s.rnd.IntN(90)) * molecule.Duration(time.Minute), Policy: s.policy(),
	}
	s.did("%s is made: %s %s %+v", in.Name, in.Cron, in.TZ, in.Policy)
	if err := s.service.CreateSchedule(s.t.Context(), &in); err != nil {
		s.check(err)
		return
	}
	s.names = append(s.names, in.Name)
	s.begin(in)
}

func (s *simulation) read(name string) molecule.Schedule {
	s.t.Helper()
	got, err := s.service.Schedule(s.t.Context(), name)
	if err != nil {
		s.t.Fatal(err)
	}
	return got
}

// change does something to a schedule and notes which slots it has from then on.
func (s *simulation) change(name, what string, do func(before molecule.Schedule) error) {
	s.settled(name)
	before := s.read(name)
	s.did("%s: %s (%s)", name, what, before.State)
	now := molecule.Now()
	err := do(before)
	s.check(err)
	if err != nil {
		return
	}
	after := s.read(name)
	same := after.ActiveSince.Equal(before.ActiveSince) && after.State == before.State && after.Until.Equal(before.Until) &&
		after.Cron == before.Cron && after.TZ == before.TZ
	if same {
		return
	}
	s.end(name, latest(now, before.LastSlot))
	if after.State == molecule.ScheduleActive {
		s.begin(after)
		all := s.spans[name]
		all[len(all)-1].from = latest(all[len(all)-1].from, now, before.LastSlot)
	}
}

func latest(all ...time.Time) time.Time {
	return slices.MaxFunc(all, time.Time.Compare)
}

// TestSimulation_coversEverySlotOnce lets weeks pass in which anything happens.
// MOLECULE_SIMULATE=all tries many seeds.
func TestSimulation_coversEverySlotOnce(t *testing.T) {
	t.Parallel()
	seeds, weeks := uint64(3), 1
	if everything() {
		seeds, weeks = 150, 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			simulate(t, seed, time.Duration(weeks)*7*24*time.Hour)
		})
	}
}

func simulate(t *testing.T, seed uint64, length time.Duration) {
	t.Helper()
	s := &simulation{
		rnd: rand.New(rand.NewPCG(seed, 1)), spans: make(map[string][]span),
		asked: agentsAsked{now: make(map[string]int), late: make(map[string]int)},
	}
	s.world = world{behave: s.deliver, there: s.there.Load, jump: s.clock.jump, calm: true}
	s.world.on(t, func(_ *testing.T, p *plant) {
		s.plant = p
		p.agent("push", molecule.AgentPush, 2)
		p.agent("narrow", molecule.AgentExec, 1)
		p.agent("wide", molecule.AgentExec, 5)
		p.calendar("days", "2000-01-03")
		s.there.Store(true)
		for len(s.names) < 5 {
			s.add()
		}
		for end := time.Now().Add(length); time.Now().Before(end); {
			pass(s.pause())
			s.act()
			for _, name := range s.names {
				s.settled(name)
			}
		}
		s.calmDown()
		s.verify()
	})
}

// pause is how long nothing is done. Often it ends where a slot is claimed, comes
// or is due.
func (s *simulation) pause() time.Duration {
	if s.rnd.IntN(2) == 0 {
		return time.Duration(s.rnd.Int64N(int64(pick(s.rnd, 10*time.Minute, 12*time.Hour))))
	}
	sched := s.read(pick(s.rnd, s.names...))
	at := pick(s.rnd, sched.NextSlot, sched.DueAt).Add(time.Duration(s.rnd.IntN(600)-500) * time.Millisecond)
	return min(max(time.Until(at), 0), 12*time.Hour)
}

// calmDown lets whatever is open come to its end, with no slot to come.
func (s *simulation) calmDown() {
	s.did("calm")
	s.there.Store(true)
	s.fast.Store(true)
	for _, agent := range []string{"push", "narrow", "wide"} {
		s.believe(agent, molecule.AgentOnline)
	}
	for _, name := range s.names {
		s.change(name, "pause", func(before molecule.Schedule) error {
			if before.State != molecule.ScheduleActive {
				return nil
			}
			_, err := s.service.PauseSchedule(s.t.Context(), name)
			return err
		})
	}
	pass(26 * time.Hour)
}
