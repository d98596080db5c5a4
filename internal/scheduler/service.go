package scheduler

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Store is what the service needs of the store.
type Store interface {
	Agent(ctx context.Context, ref string) (molecule.Agent, error)
	CreateSchedule(ctx context.Context, s *molecule.Schedule) error
	Schedule(ctx context.Context, ref string) (molecule.Schedule, error)
	Schedules(ctx context.Context, f molecule.ScheduleFilter) (molecule.Page[molecule.Schedule], error)
	UpdateSchedule(ctx context.Context, ref, event string, change func(*molecule.Schedule) error) (molecule.Schedule, error)
	RemoveSchedule(ctx context.Context, ref string) error
	CreateRun(ctx context.Context, r *molecule.Run) error
	Run(ctx context.Context, ref string) (molecule.Run, error)
	Runs(ctx context.Context, f molecule.RunFilter) (molecule.Page[molecule.Run], error)
}

// ServiceOptions are what a Service needs.
type ServiceOptions struct {
	Store      Store
	Events     molecule.EventService
	Dispatcher Dispatcher
	OrgID      string
}

// Service implements [molecule.ScheduleService] and [molecule.RunService].
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
		Name: in.Name, Agent: in.Agent, Cron: in.Cron, TZ: in.TZ, Prompt: in.Prompt, Timeout: in.Timeout,
		State: molecule.ScheduleActive,
	}
	if fresh.Timeout == 0 {
		fresh.Timeout = molecule.Duration(molecule.DefaultTimeout)
	}
	if err := fresh.Validate(); err != nil {
		return err
	}
	if err := s.compile(&fresh, molecule.Now()); err != nil {
		return err
	}
	if err := s.store.CreateSchedule(ctx, &fresh); err != nil {
		return fmt.Errorf("create schedule: %w", err)
	}
	*in = fresh
	s.tellLoop()
	return nil
}

// compile brings expression, zone and description into their stored form and
// sets the first slot behind now.
func (s *Service) compile(sched *molecule.Schedule, now time.Time) error {
	spec, err := s.specs.compile(sched.Cron, sched.TZ)
	if err != nil {
		return err
	}
	next, err := spec.Next(now)
	if err != nil {
		return err
	}
	sched.Cron, sched.TZ, sched.Description, sched.NextSlot = spec.Canonical(), spec.TZ(), spec.Describe(), next
	return nil
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
// when expression or zone change.
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
		if sched.Cron == before.Cron && sched.TZ == before.TZ {
			return nil
		}
		if err := s.compile(sched, now); err != nil {
			return err
		}
		if sched.State == molecule.SchedulePaused {
			sched.NextSlot = time.Time{}
			return nil
		}
		sched.State, sched.Reason = molecule.ScheduleActive, "" // a new expression mends an error
		return nil
	})
}

// apply sets the fields that up names.
func apply(s *molecule.Schedule, up molecule.ScheduleUpdate) {
	set(&s.Name, up.Name)
	set(&s.Agent, up.Agent)
	set(&s.Cron, up.Cron)
	set(&s.TZ, up.TZ)
	set(&s.Prompt, up.Prompt)
	set(&s.Timeout, up.Timeout)
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// PauseSchedule takes the slots of a schedule away.
func (s *Service) PauseSchedule(ctx context.Context, ref string) (molecule.Schedule, error) {
	return s.change(ctx, ref, molecule.EventSchedulePaused, func(sched *molecule.Schedule) error {
		sched.State, sched.NextSlot, sched.Reason = molecule.SchedulePaused, time.Time{}, ""
		return nil
	})
}

// ResumeSchedule makes a schedule active from now on. It also releases one in
// error, when its expression can be fired again.
func (s *Service) ResumeSchedule(ctx context.Context, ref string) (molecule.Schedule, error) {
	now := molecule.Now()
	return s.change(ctx, ref, molecule.EventScheduleResumed, func(sched *molecule.Schedule) error {
		if sched.State == molecule.ScheduleActive {
			return nil // its slots stay as they are
		}
		sched.State, sched.Reason = molecule.ScheduleActive, ""
		return s.compile(sched, now)
	})
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
	if err := s.store.RemoveSchedule(ctx, ref); err != nil {
		return err
	}
	s.tellLoop()
	return nil
}

// NextSlots returns the next n slots of an active schedule.
func (s *Service) NextSlots(ctx context.Context, ref string, n int) ([]time.Time, error) {
	sched, err := s.store.Schedule(ctx, ref)
	if err != nil {
		return nil, err
	}
	if sched.State != molecule.ScheduleActive || n < 1 {
		return nil, nil
	}
	spec, err := s.specs.compile(sched.Cron, sched.TZ)
	if err != nil {
		return nil, err
	}
	more, err := spec.NextN(sched.NextSlot, n-1)
	if err != nil {
		return nil, err
	}
	return append([]time.Time{sched.NextSlot}, more...), nil
}
