package dispatch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// retries is how many further attempts an outcome is worth.
func retries(o molecule.Outcome, p molecule.Policy) int {
	if p.Retries != nil {
		return *p.Retries
	}
	switch o {
	case molecule.OutcomeUnreachable:
		return 3
	case molecule.OutcomeHTTPError:
		return 5 // 429 and 503 only
	case molecule.OutcomeRPCError:
		return 1
	case molecule.OutcomeUnknown:
		return 1 // only where it is safe
	}
	return 0
}

// attempts delivers until the verdict is final or the deadline is near.
func (j *journey) attempts(agent molecule.Agent, courier Courier) error {
	deadline := j.deadline()
	j.queues.lease(j.run.ID, deadline)
	if j.run.State == molecule.RunAway && !j.starts().Before(deadline) {
		return j.miss()
	}
	if agent.State.Runs() == molecule.HandlingWait && j.run.Handle == "" {
		if j.arm() {
			return nil
		}
		if there, err := j.await(agent, courier, deadline); !there || err != nil {
			return err
		}
	}
	first := max(j.run.Attempt, 1)
	for attempt := first; ; attempt++ {
		reply, going, err := j.attempt(agent, courier, attempt, deadline)
		if !going || err != nil {
			return err
		}
		if reply.Failure == molecule.FailShutdown && agent.Kind != molecule.AgentExec {
			return j.leave()
		}
		if further, err := j.further(j.judge(reply), attempt-first+1); !further || err != nil {
			return err
		}
	}
}

// arm holds the run until it is time to store its start, which is a little ahead
// of its slot. It reports whether the waiting was cut short.
func (j *journey) arm() (cut bool) {
	j.arming.waiting.Add(1)
	defer j.arming.waiting.Add(-1)
	// Only now it is known how many wait with it.
	return j.hold(longestArm) || j.hold(j.arming.ahead())
}

// starts returns the time that an attempt which begins now counts as started.
func (j *journey) starts() time.Time {
	if now := molecule.Now(); now.After(j.run.DueAt) {
		return now
	}
	return j.run.DueAt
}

// deadline returns until when the run may take.
func (j *journey) deadline() time.Time {
	if !j.run.Deadline.IsZero() {
		return j.run.Deadline
	}
	return j.starts().Add(time.Duration(j.run.Timeout))
}

// start stores that an attempt begins. It reports false when there is none to
// make: the daemon stops, or the run has ended.
func (j *journey) start(deadline time.Time, attempt int) (bool, error) {
	if j.deliveries.Err() != nil {
		j.canceled()
		return false, nil // stopping: the row stays open for the next start
	}
	asked, started := time.Now(), j.starts()
	err := j.persist(func(ctx context.Context) error {
		return j.Store.StartRun(ctx, j.run, started, deadline, attempt)
	})
	j.arming.took(time.Since(asked))
	switch {
	case molecule.CodeOf(err) == molecule.Conflict:
		return false, nil // it has ended already
	case err != nil:
		return false, fmt.Errorf("start run: %w", err)
	}
	j.run.State, j.run.Attempt, j.run.Deadline = molecule.RunStarted, attempt, deadline
	if j.run.StartedAt.IsZero() {
		j.run.StartedAt = started
	}
	return true, nil
}

// further decides what follows the verdict on an attempt, of which made were
// made here, and waits until it may follow. It reports false when the run is over.
func (j *journey) further(v Verdict, made int) (bool, error) {
	pause := v.RetryAfter
	if pause <= 0 {
		pause = Backoff(made, rand.Float64())
	}
	now := molecule.Now()
	if !v.Retry || made > retries(v.Outcome, j.run.Policy) || !now.Add(pause).Before(j.run.Deadline) {
		j.finish(v)
		return false, nil
	}
	if err := j.again(v, j.run.Attempt, now); err != nil {
		return false, err
	}
	if molecule.Sleep(j.deliveries, pause) != nil {
		if !j.canceled() {
			j.finish(v) // stopping: there will be no further attempt
		}
		return false, nil
	}
	return true, nil
}

// hold waits until a little before the run is due. It reports whether the
// waiting was cut short: the run was canceled, or stays for the next start.
func (j *journey) hold(before time.Duration) bool {
	wait := time.Until(j.run.DueAt.Add(-before))
	if wait <= 0 {
		return false
	}
	var cut error
	if before == 0 && j.Alarm != nil {
		cut = j.Alarm.Wait(j.deliveries, j.run.DueAt)
	} else {
		cut = molecule.Sleep(j.deliveries, wait)
	}
	if cut != nil {
		j.canceled()
	}
	return cut != nil
}

// deliver has an attempt made within the deadline.
func (j *journey) deliver(agent molecule.Agent, by carrier, attempt int, deadline time.Time) molecule.Reply {
	ctx, cancel := context.WithDeadline(j.deliveries, deadline)
	defer cancel()
	run := j.run // an attempt that is made ready is not stored yet
	run.Attempt, run.Deadline = attempt, deadline
	reply := by(ctx, molecule.Delivery{
		Agent: agent, Run: run, Text: run.Prompt, Attempt: attempt,
		Note: func(handle string) error {
			err := j.persist(func(ctx context.Context) error { return j.Store.SetRunHandle(ctx, j.run.ID, handle) })
			if err == nil {
				j.run.Handle = handle
			}
			return err
		},
		Waiting: func(reason string) {
			reason = molecule.Excerpt(reason, molecule.MaxReasonRunes)
			err := j.Store.SetRunWaiting(j.storing, j.run.ID, molecule.RunWaiting, reason, time.Time{})
			if err != nil {
				j.Log.WarnContext(j.storing, "note that a run waits", "run", j.run.ID, "err", err)
			}
		},
	})
	var c canceled
	stopped := reply.Failure == molecule.FailShutdown || reply.Failure == molecule.FailCanceled
	if stopped && errors.As(context.Cause(ctx), &c) {
		reply.Failure, reply.Detail = molecule.FailCanceled, c.why
	}
	return reply
}

// judge is the outcome table, with the policy of the run.
func (j *journey) judge(r molecule.Reply) Verdict {
	v := Judge(r, j.Rules)
	if r.Failure == molecule.FailBroken && j.run.Policy.Resend == molecule.ResendSafe {
		v.Retry = true // the agent knows the message when it comes again
	}
	return v
}

// again ends an attempt that another will follow.
func (j *journey) again(v Verdict, attempt int, now time.Time) error {
	err := j.persist(func(ctx context.Context) error {
		return j.Store.FinishAttempt(ctx, j.run.ID, molecule.Attempt{
			Number: attempt, EndedAt: now, Outcome: v.Outcome, Reason: v.Reason,
		})
	})
	if err != nil {
		return fmt.Errorf("finish attempt: %w", err)
	}
	j.run.Handle = ""
	return nil
}
