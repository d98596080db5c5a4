package scheduler

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// Store is what the service needs of the store.
type Store interface {
	Agent(ctx context.Context, ref string) (molecule.Agent, error)
	CreateSchedule(ctx context.Context, s *molecule.Schedule) error
	SchedulesNamed(ctx context.Context, names []string) ([]molecule.Schedule, error)
	ImportSchedules(ctx context.Context, made []*molecule.Schedule, ids []string, change func(*molecule.Schedule) (bool, error)) error
	Schedule(ctx context.Context, ref string) (molecule.Schedule, error)
	Schedules(ctx context.Context, f molecule.ScheduleFilter) (molecule.Page[molecule.Schedule], error)
	UpdateSchedule(ctx context.Context, ref, event string, change func(*molecule.Schedule) error) (molecule.Schedule, error)
	// RemoveSchedule lets last give slots up that came and have no row yet.
	RemoveSchedule(ctx context.Context, ref string, last func(*molecule.Schedule) error) error
	CreateRun(ctx context.Context, r *molecule.Run) error
	Run(ctx context.Context, ref string) (molecule.Run, error)
	Runs(ctx context.Context, f molecule.RunFilter) (molecule.Page[molecule.Run], error)
	// Missed returns which slots were missed since the last one that was sent.
	Missed(ctx context.Context, scheduleID string) (molecule.Missed, error)
	ScheduleHistory(ctx context.Context, id string, f molecule.HistoryFilter) (molecule.Page[molecule.Period], error)
	// RunBefore returns the run of the same schedule that was open when r was
	// claimed, the newest of them; NotFound when none was.
	RunBefore(ctx context.Context, r molecule.Run) (molecule.Run, error)
	RunCovering(ctx context.Context, scheduleID string, slot time.Time) (molecule.Run, error)
	FinishRun(ctx context.Context, f molecule.Finish) (molecule.Run, error)
	PutCalendar(ctx context.Context, c *molecule.Calendar) error
	Calendar(ctx context.Context, name string) (molecule.Calendar, error)
	Calendars(ctx context.Context) ([]molecule.Calendar, error)
	RemoveCalendar(ctx context.Context, name string) error
}

// ServiceOptions are what a Service needs.
type ServiceOptions struct {
	Store      Store
	Events     molecule.EventService
	Dispatcher Dispatcher
	OrgID      string
}

// Service implements [molecule.ScheduleService], [molecule.RunService] and
// [molecule.CalendarService].
type Service struct {
	store      Store
	events     molecule.EventService
	dispatcher Dispatcher
	space      uuid.UUID
	specs      *specs
	changed    chan struct{} // buffered 1: one signal is enough; never closed
}

// NewService returns a Service.
func NewService(o ServiceOptions) *Service {
	return &Service{
		store: o.Store, events: o.Events, dispatcher: o.Dispatcher,
		space: messageSpace(o.OrgID), specs: newSpecs(), changed: make(chan struct{}, 1),
	}
}

// tellLoop makes the loop look again at what is due next.
func (s *Service) tellLoop() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// CreateSchedule compiles in, computes its first slot and stores it.
func (s *Service) CreateSchedule(ctx context.Context, in *molecule.Schedule) error {
	fresh := molecule.Schedule{
		Name: in.Name, Agent: in.Agent, Cron: in.Cron, TZ: in.TZ, DST: in.DST, Seconds: in.Seconds, Phase: in.Phase,
		Prompt: in.Prompt, Timeout: in.Timeout, Policy: in.Canonical(), State: molecule.ScheduleActive,
	}
	if fresh.Timeout == 0 {
		fresh.Timeout = molecule.Duration(molecule.DefaultTimeout)
	}
	if err := fresh.Validate(); err != nil {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make an id: %w", err)
	}
	fresh.ID = id.String() // its jitter depends on it
	if err := s.start(&fresh, molecule.Now()); err != nil {
		return err
	}
	if err := s.store.CreateSchedule(ctx, &fresh); err != nil {
		return fmt.Errorf("create schedule: %w", err)
	}
	*in = fresh
	s.tellLoop()
	return nil
}

// start brings what says when into its stored form and sets the first slot
// behind now, and behind what has its row: a slot may be claimed before it
// comes, and the clock may have gone back. A schedule that would never fire is
// Invalid.
func (s *Service) start(sched *molecule.Schedule, now time.Time) error {
	w, err := s.specs.when(*sched, later(now, sched.LastSlot))
	if err != nil {
		return err
	}
	return w.start(sched)
}

// Schedule returns one schedule.
func (s *Service) Schedule(ctx context.Context, ref string) (molecule.Schedule, error) {
	return s.store.Schedule(ctx, ref)
}

// Schedules returns a page of schedules, by name.
func (s *Service) Schedules(ctx context.Context, f molecule.ScheduleFilter) (molecule.Page[molecule.Schedule], error) {
	if err := f.Validate(); err != nil {
		return molecule.Page[molecule.Schedule]{}, err
	}
	return s.store.Schedules(ctx, f)
}

// UpdateSchedule changes the fields that up names. The next slot moves only
// when what says when changes.
func (s *Service) UpdateSchedule(
	ctx context.Context, ref string, up molecule.ScheduleUpdate,
) (molecule.Schedule, error) {
	now := molecule.Now()
	return s.change(ctx, ref, molecule.EventScheduleUpdated, func(sched *molecule.Schedule) error {
		before := *sched
		apply(sched, up)
		if err := sched.Validate(); err != nil {
			return err
		}
		return s.resettle(sched, before, now)
	})
}

// resettle moves the slots of a schedule as far as its change asks for.
func (s *Service) resettle(sched *molecule.Schedule, before molecule.Schedule, now time.Time) error {
	when := sched.Cron != before.Cron || sched.TZ != before.TZ || sched.DST != before.DST || sched.Seconds != before.Seconds ||
		sched.Phase != before.Phase
	ends := sched.MaxRuns != before.MaxRuns || !sched.Until.Equal(before.Until)
	switch {
	case when, ends && sched.State == molecule.ScheduleFinished:
		if err := s.start(sched, now); err != nil {
			return err
		}
		if err := s.keepPassed(sched, before, now); err != nil {
			return err
		}
		if sched.State == molecule.SchedulePaused {
			sched.NextSlot, sched.DueAt = time.Time{}, time.Time{}
			return nil
		}
		sched.State, sched.Reason = molecule.ScheduleActive, "" // a new expression mends an error
		return nil
	case sched.State != molecule.ScheduleActive:
		return nil
	}
	if why := over(*sched, sched.Fired, sched.NextSlot); why != "" {
		if err := s.giveUp(sched, before, now, why); err != nil {
			return err
		}
		sched.State, sched.Reason, sched.NextSlot, sched.DueAt = molecule.ScheduleFinished, why, time.Time{}, time.Time{}
		return nil
	}
	spec, err := s.specs.of(*sched)
	if err != nil {
		return err
	}
	sched.DueAt = dueTime(spec, *sched, sched.NextSlot)
	return nil
}

// apply sets the fields that up names.
func apply(s *molecule.Schedule, up molecule.ScheduleUpdate) {
	set(&s.Name, up.Name)
	set(&s.Agent, up.Agent)
	set(&s.Cron, up.Cron)
	set(&s.TZ, up.TZ)
	set(&s.DST, up.DST)
	set(&s.Seconds, up.Seconds)
	if up.Cron != nil && !strings.HasPrefix(*up.Cron, "@every") {
		s.Phase = 0 // it was that of the interval before
	}
	set(&s.Phase, up.Phase)
	set(&s.Prompt, up.Prompt)
	set(&s.Timeout, up.Timeout)
	applyPolicy(&s.Policy, up)
	s.Policy = s.Canonical()
}

func applyPolicy(p *molecule.Policy, up molecule.ScheduleUpdate) {
	before := p.Effective()
	set(&p.CatchUp, up.CatchUp)
	set(&p.CatchUpWindow, up.CatchUpWindow)
	set(&p.CatchUpMax, up.CatchUpMax)
	set(&p.Overlap, up.Overlap)
	set(&p.Jitter, up.Jitter)
	set(&p.JitterMode, up.JitterMode)
	set(&p.Resend, up.Resend)
	set(&p.Exclusions, up.Exclusions)
	set(&p.MaxRuns, up.MaxRuns)
	set(&p.Until, up.Until)
	// What says nothing beside the new value goes with the old one, unless it
	// was asked for.
	if up.Jitter != nil && *up.Jitter == 0 && up.JitterMode == nil {
		p.JitterMode = ""
	}
	if up.CatchUp != nil && *up.CatchUp != before.CatchUp {
		if up.CatchUpMax == nil {
			p.CatchUpMax = 0
		}
		if up.CatchUpWindow == nil {
			p.CatchUpWindow = 0
		}
	}
	if up.Budget != nil {
		p.Budget = up.Budget
	}
	if up.Retries != nil {
		p.Retries = up.Retries
		if *up.Retries == -1 {
			p.Retries = nil
		}
	}
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// PauseSchedule takes the slots of a schedule away.
func (s *Service) PauseSchedule(ctx context.Context, ref string) (molecule.Schedule, error) {
	now := molecule.Now()
	return s.change(ctx, ref, molecule.EventSchedulePaused, func(sched *molecule.Schedule) error {
		return s.pause(sched, now)
	})
}

func (s *Service) pause(sched *molecule.Schedule, now time.Time) error {
	if err := s.giveUp(sched, *sched, now, "the schedule was paused before it fired"); err != nil {
		return err
	}
	sched.State, sched.NextSlot, sched.DueAt, sched.Reason = molecule.SchedulePaused, time.Time{}, time.Time{}, ""
	return nil
}

// ResumeSchedule makes a schedule active from now on. It also releases one in
// error, when its expression can be fired again.
func (s *Service) ResumeSchedule(ctx context.Context, ref string) (molecule.Schedule, error) {
	now := molecule.Now()
	return s.change(ctx, ref, molecule.EventScheduleResumed, func(sched *molecule.Schedule) error {
		return s.resume(sched, now)
	})
}

func (s *Service) resume(sched *molecule.Schedule, now time.Time) error {
	if sched.State == molecule.ScheduleActive {
		return nil // its slots stay as they are
	}
	sched.State, sched.Reason = molecule.ScheduleActive, ""
	return s.start(sched, now)
}

// change updates one schedule and tells the loop.
func (s *Service) change(
	ctx context.Context, ref, event string, do func(*molecule.Schedule) error,
) (molecule.Schedule, error) {
	sched, err := s.store.UpdateSchedule(ctx, ref, event, do)
	if err != nil {
		return molecule.Schedule{}, err
	}
	s.tellLoop()
	return sched, nil
}

// RemoveSchedule removes a schedule and keeps its history.
func (s *Service) RemoveSchedule(ctx context.Context, ref string) error {
	now := molecule.Now()
	err := s.store.RemoveSchedule(ctx, ref, func(sched *molecule.Schedule) error {
		return s.giveUp(sched, *sched, now, "the schedule was removed before it fired")
	})
	if err != nil {
		return err
	}
	s.tellLoop()
	return nil
}

// maxLooked bounds how many slots are looked at for those that no calendar
// excludes.
const maxLooked = 100_000

// NextSlots returns the next n slots of an active schedule that no calendar
// excludes; fewer when there are no more.
func (s *Service) NextSlots(ctx context.Context, ref string, n int) ([]time.Time, error) {
	sched, err := s.store.Schedule(ctx, ref)
	if err != nil {
		return nil, err
	}
	if sched.State != molecule.ScheduleActive || n < 1 {
		return nil, nil
	}
	spec, err := s.specs.of(sched)
	if err != nil {
		return nil, err
	}
	var calendars []molecule.Calendar
	for _, name := range sched.Exclusions {
		c, err := s.store.Calendar(ctx, name)
		if err != nil {
			return nil, err
		}
		calendars = append(calendars, c)
	}
	var slots []time.Time
	slot, fired := sched.NextSlot, sched.Fired
	for range maxLooked {
		if molecule.Excluded(calendars, slot.In(spec.Location())) == "" {
			slots = append(slots, slot)
			fired++
		}
		if slot, err = spec.Next(slot); err != nil && !errors.Is(err, cron.ErrNoSlot) {
			return nil, err
		}
		if len(slots) == n || over(sched, fired, slot) != "" {
			break
		}
	}
	return slots, nil
}
