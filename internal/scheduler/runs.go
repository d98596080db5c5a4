package scheduler

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// TriggerSchedule starts one manual run of a schedule, whatever its state.
func (s *Service) TriggerSchedule(ctx context.Context, ref string) (molecule.Run, error) {
	sched, err := s.store.Schedule(ctx, ref)
	if err != nil {
		return molecule.Run{}, err
	}
	prompt, err := s.promptOf(ctx, sched)
	if err != nil {
		return molecule.Run{}, err
	}
	return s.manual(ctx, molecule.Run{
		ScheduleID: sched.ID, AgentID: sched.AgentID, Prompt: prompt,
		Timeout: sched.Timeout, Policy: sched.Policy, Trigger: molecule.TriggerManual,
	})
}

// promptOf returns the prompt of a schedule as it is sent now.
func (s *Service) promptOf(ctx context.Context, sched molecule.Schedule) (string, error) {
	if !strings.Contains(sched.Prompt, molecule.MissedMark) {
		return sched.Prompt, nil
	}
	missed, err := s.store.Missed(ctx, sched.ID)
	if err != nil {
		return "", fmt.Errorf("what was missed: %w", err)
	}
	return missed.Tell(sched.Prompt), nil
}

// StartRun starts one run of a prompt that no schedule holds.
func (s *Service) StartRun(ctx context.Context, in molecule.NewRun) (molecule.Run, error) {
	if err := molecule.ValidatePrompt(in.Prompt); err != nil {
		return molecule.Run{}, err
	}
	if in.Timeout == 0 {
		in.Timeout = molecule.Duration(molecule.DefaultTimeout)
	}
	if t := time.Duration(in.Timeout); t < molecule.MinTimeout || t > molecule.MaxTimeout {
		return molecule.Run{}, molecule.Errorf(molecule.Invalid, "timeout is %s, it must be between %s and %s",
			in.Timeout, molecule.Duration(molecule.MinTimeout), molecule.Duration(molecule.MaxTimeout))
	}
	agent, err := s.store.Agent(ctx, in.Agent)
	if err != nil {
		return molecule.Run{}, err
	}
	return s.manual(ctx, molecule.Run{
		AgentID: agent.ID, Prompt: in.Prompt, Timeout: in.Timeout, Trigger: molecule.TriggerManual,
	})
}

// RetryRun repeats a run that has ended, as a run of its own.
func (s *Service) RetryRun(ctx context.Context, ref string) (molecule.Run, error) {
	r, err := s.store.Run(ctx, ref)
	if err != nil {
		return molecule.Run{}, err
	}
	if r.State != molecule.RunFinished {
		return molecule.Run{}, molecule.Errorf(molecule.Conflict, "run %s has not ended yet, it is %s", r.ID, r.State).
			WithHint("molecli run cancel %s, or wait for its end", r.ID)
	}
	sched := molecule.Schedule{}
	if r.ScheduleID != "" {
		sched, err = s.store.Schedule(ctx, r.ScheduleID)
	}
	switch {
	case molecule.CodeOf(err) == molecule.NotFound:
		return molecule.Run{}, molecule.Errorf(molecule.Conflict, "schedule %s was removed: its runs cannot be repeated", r.Schedule).
			WithHint("molecli agent run %s --prompt TEXT", r.Agent)
	case err != nil:
		return molecule.Run{}, err
	}
	again := molecule.Run{
		ScheduleID: r.ScheduleID, AgentID: r.AgentID, Prompt: r.Prompt, Timeout: r.Timeout, Policy: r.Policy,
		Trigger: molecule.TriggerRetry, RetryOf: r.ID,
	}
	if again.Prompt == "" { // a slot that never fired has no prompt of its own
		if again.Prompt, err = s.promptOf(ctx, sched); err != nil {
			return molecule.Run{}, err
		}
	}
	return s.manual(ctx, again)
}

// CancelRun tells whoever works on a run to stop. A run that nobody holds ends
// here.
func (s *Service) CancelRun(ctx context.Context, ref string) (molecule.Run, error) {
	r, err := s.store.Run(ctx, ref)
	if err != nil {
		return molecule.Run{}, err
	}
	if r.State == molecule.RunFinished {
		return molecule.Run{}, molecule.Errorf(molecule.Conflict, "run %s has ended already: %s", r.ID, r.Outcome).
			WithHint("molecli run show %s", r.ID)
	}
	why := "canceled by " + molecule.PrincipalFrom(ctx).Name
	if s.dispatcher.Cancel(r.ID, why) {
		return r, nil
	}
	return s.store.FinishRun(ctx, molecule.Finish{
		RunID: r.ID, Outcome: molecule.OutcomeCanceled, Reason: why, EndedAt: molecule.Now(),
	})
}

// manual stores a run that somebody asked for and hands it over.
func (s *Service) manual(ctx context.Context, r molecule.Run) (molecule.Run, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return molecule.Run{}, fmt.Errorf("make an id: %w", err)
	}
	r.ID = id.String()
	r.MessageID = uuid.NewSHA1(s.space, []byte(r.ID)).String()
	r.State = molecule.RunClaimed
	r.Slot = molecule.Now()
	if err := s.store.CreateRun(ctx, &r); err != nil {
		return molecule.Run{}, fmt.Errorf("create run: %w", err)
	}
	s.dispatcher.Enqueue([]molecule.Run{r})
	return r, nil
}

// Run returns one run with its prompt and attempts.
func (s *Service) Run(ctx context.Context, ref string) (molecule.Run, error) {
	return s.store.Run(ctx, ref)
}

// Runs returns a page of runs, newest first.
func (s *Service) Runs(ctx context.Context, f molecule.RunFilter) (molecule.Page[molecule.Run], error) {
	if err := f.Validate(); err != nil {
		return molecule.Page[molecule.Run]{}, err
	}
	return s.store.Runs(ctx, f)
}

// ScheduleHistory sums up the runs of a schedule, kept and pruned alike.
func (s *Service) ScheduleHistory(
	ctx context.Context, ref string, f molecule.HistoryFilter,
) (molecule.Page[molecule.Period], error) {
	if err := f.Validate(); err != nil {
		return molecule.Page[molecule.Period]{}, err
	}
	sched, err := s.store.Schedule(ctx, ref)
	if err != nil {
		return molecule.Page[molecule.Period]{}, err
	}
	return s.store.ScheduleHistory(ctx, sched.ID, f)
}

// WaitRun returns the run once it has ended; Timeout when ctx ends first.
func (s *Service) WaitRun(ctx context.Context, ref string) (molecule.Run, error) {
	for ctx.Err() == nil {
		// The place in the stream first: an end between the two reads is then
		// either in the row or in the stream.
		last, err := s.events.LastEventID(ctx)
		if err != nil {
			return molecule.Run{}, waitError(ctx, err)
		}
		r, err := s.store.Run(ctx, ref)
		if err != nil {
			return molecule.Run{}, waitError(ctx, err)
		}
		if r.State == molecule.RunFinished {
			return r, nil
		}
		if err := s.awaitEnd(ctx, r.ID, last); err != nil {
			return molecule.Run{}, waitError(ctx, err)
		}
	}
	return molecule.Run{}, waitError(ctx, ctx.Err())
}

// awaitEnd returns nil when the run has ended or when nothing more can be
// learnt from this stream.
func (s *Service) awaitEnd(ctx context.Context, id string, after int64) error {
	f := molecule.EventFilter{After: after, Types: []string{molecule.EventRunFinished}}
	for e, err := range s.events.WatchEvents(ctx, f) {
		if err != nil {
			if code := molecule.CodeOf(err); code == molecule.Unavailable || code == molecule.Gone {
				return nil // too slow for the stream: look at the row again
			}
			return err
		}
		var ended struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(e.Data, &ended); err != nil {
			return fmt.Errorf("event %d: %w", e.ID, err)
		}
		if ended.ID == id {
			return nil
		}
	}
	return nil
}

// waitError says that the wait is over when that is why err happened.
func waitError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return molecule.Errorf(molecule.Timeout, "the run has not ended yet").WithHint("molecli run show, or wait longer").WithCause(err)
	}
	return err
}

// Stale says why a claimed run that was never sent is no longer worth sending:
// it is older than its catch-up window. An empty answer means send it.
func (s *Service) Stale(ctx context.Context, r molecule.Run, now time.Time) string {
	due, window := r.DueAt, manualCatchUp
	if r.Trigger == molecule.TriggerCron || r.Trigger == molecule.TriggerCatchUp {
		due, window = s.windowOf(ctx, r)
	}
	if age := now.Sub(due); age > window {
		return fmt.Sprintf("claimed and not sent until %s, which is %s late", now.Format(time.RFC3339), molecule.Duration(age.Round(time.Second)))
	}
	return ""
}

// windowOf returns when the slot of r was due and how long after that it may
// still fire; the longest time when its schedule is gone or cannot be read any
// more. A run that catches up is due later than its slot, which makes the slot
// no younger.
func (s *Service) windowOf(ctx context.Context, r molecule.Run) (due time.Time, window time.Duration) {
	sched, err := s.store.Schedule(ctx, r.ScheduleID)
	if err != nil {
		return r.Slot, longestCatchUp
	}
	spec, err := s.specs.of(sched)
	if err != nil {
		return r.Slot, longestCatchUp
	}
	next, err := spec.Next(r.Slot)
	if err != nil {
		next = time.Time{}
	}
	return dueTime(spec, sched, r.Slot), catchUpWindow(sched.Effective(), r.Slot, next)
}
