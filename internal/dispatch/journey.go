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
func retries(o molecule.Outcome) int {
	switch o {
	case molecule.OutcomeUnreachable:
		return 3
	case molecule.OutcomeHTTPError:
		return 5 // 429 and 503 only
	case molecule.OutcomeRPCError:
		return 1
	}
	return 0
}

// Pauses of storing again what the store could not take.
const (
	firstPause = 100 * time.Millisecond
	longPause  = 5 * time.Second
)

// journey is one run on its way.
type journey struct {
	*Dispatcher
	run        molecule.Run
	deliveries context.Context // ends when the daemon stops delivering
	storing    context.Context // ends when it stops altogether
}

// travel takes the run from where it is to its end.
func (j *journey) travel() error {
	if ended, err := j.resume(); ended || err != nil {
		return err
	}
	agent, found, err := j.agent()
	if err != nil {
		return err
	}
	if !found {
		j.finish(Verdict{Outcome: molecule.OutcomeBlocked, Reason: "the agent was removed"})
		return nil
	}
	j.queues.setLimit(agent.ID, agent.MaxConcurrent)
	j.wake() // the limit may leave room for more
	courier := j.Couriers[agent.Kind]
	if courier == nil {
		j.finish(Verdict{Outcome: molecule.OutcomeBlocked, Reason: fmt.Sprintf("agents of kind %s cannot be reached", agent.Kind)})
		return nil
	}
	return j.attempts(agent, courier)
}

// resume decides about a run that this process did not claim. It reports
// whether that ended the run.
func (j *journey) resume() (ended bool, err error) {
	switch {
	case j.run.State == molecule.RunClaimed:
		if j.Stale == nil {
			return false, nil
		}
		why := j.Stale(j.storing, j.run, molecule.Now())
		if why == "" {
			return false, nil
		}
		j.finish(Verdict{Outcome: molecule.OutcomeMissed, Reason: why})
		return true, nil
	case j.run.Handle != "":
		return false, nil // its courier looks for it
	}
	agent, found, err := j.agent()
	if err != nil {
		return false, err
	}
	if found && agent.Kind == molecule.AgentExec {
		return false, nil // a command is noted before it starts: this one never did
	}
	j.finish(Verdict{Outcome: molecule.OutcomeUnknown, Reason: "the daemon stopped while it was being sent"})
	return true, nil
}

// agent reads the agent as it is now. found is false when it was removed.
func (j *journey) agent() (a molecule.Agent, found bool, err error) {
	err = j.persist(func(ctx context.Context) error {
		var err error
		a, err = j.Store.Agent(ctx, j.run.AgentID)
		return err
	})
	if molecule.CodeOf(err) == molecule.NotFound {
		return a, false, nil
	}
	return a, err == nil, err
}

// attempts delivers until the verdict is final or the deadline is near.
func (j *journey) attempts(agent molecule.Agent, courier Courier) error {
	started := molecule.Now()
	deadline := j.run.Deadline
	if deadline.IsZero() {
		deadline = started.Add(time.Duration(j.run.Timeout))
	}
	first := max(j.run.Attempt, 1)
	for attempt := first; ; attempt++ {
		if j.deliveries.Err() != nil {
			return nil // stopping: the row stays open for the next start
		}
		err := j.persist(func(ctx context.Context) error {
			return j.Store.StartRun(ctx, j.run.ID, started, deadline, attempt)
		})
		if molecule.CodeOf(err) == molecule.Conflict {
			return nil // it has ended already
		}
		if err != nil {
			return fmt.Errorf("start run: %w", err)
		}
		reply := j.deliver(agent, courier, attempt, deadline)
		if reply.Failure == molecule.FailShutdown && agent.Kind == molecule.AgentPush {
			return j.leave()
		}
		v := Judge(reply, j.Rules)
		pause := v.RetryAfter
		if pause <= 0 {
			pause = Backoff(attempt-first+1, rand.Float64())
		}
		now := molecule.Now()
		if !v.Retry || attempt-first >= retries(v.Outcome) || !now.Add(pause).Before(deadline) {
			j.finish(v)
			return nil
		}
		if err := j.again(v, attempt, now); err != nil {
			return err
		}
		if molecule.Sleep(j.deliveries, pause) != nil {
			j.finish(v) // stopping: there will be no further attempt
			return nil
		}
		started = molecule.Now()
	}
}

// leave lets go of a run because the daemon stops. A task that the agent has
// taken goes on without us, and the next start looks it up.
func (j *journey) leave() error {
	if j.run.Handle == "" {
		j.finish(Verdict{Outcome: molecule.OutcomeUnknown, Reason: "the daemon stopped while it was being sent"})
	}
	return nil
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

// deliver makes one attempt within the deadline.
func (j *journey) deliver(agent molecule.Agent, courier Courier, attempt int, deadline time.Time) molecule.Reply {
	ctx, cancel := context.WithDeadline(j.deliveries, deadline)
	defer cancel()
	return courier.Deliver(ctx, molecule.Delivery{
		Agent: agent, Run: j.run, Text: j.run.Prompt, Attempt: attempt,
		Note: func(handle string) error {
			err := j.persist(func(ctx context.Context) error { return j.Store.SetRunHandle(ctx, j.run.ID, handle) })
			if err == nil {
				j.run.Handle = handle
			}
			return err
		},
		Waiting: func(reason string) {
			reason = molecule.Excerpt(reason, molecule.MaxReasonRunes)
			if err := j.Store.SetRunWaiting(j.storing, j.run.ID, reason); err != nil {
				j.Log.WarnContext(j.storing, "note that a run waits", "run", j.run.ID, "err", err)
			}
		},
	})
}

// finish stores how the run ended. A store that is in trouble is asked again
// until it answers or the daemon is gone; then the next start finds the run.
func (j *journey) finish(v Verdict) {
	var done molecule.Run
	err := j.persist(func(ctx context.Context) error {
		var err error
		done, err = j.Store.FinishRun(ctx, molecule.Finish{
			RunID: j.run.ID, Outcome: v.Outcome, Reason: v.Reason, Reply: v.Reply, Usage: v.Usage,
			EndedAt: molecule.Now(),
		})
		return err
	})
	switch {
	case err == nil:
		if j.Finished != nil {
			j.Finished(done)
		}
	case molecule.CodeOf(err) != molecule.Conflict:
		j.Log.ErrorContext(j.storing, "store the end of a run", "run", j.run.ID, "outcome", string(v.Outcome), "err", err)
	}
}

// persist calls the store until it answers with anything but trouble.
func (j *journey) persist(do func(ctx context.Context) error) error {
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		err := do(j.storing)
		if code := molecule.CodeOf(err); code != molecule.Unavailable && code != molecule.Timeout {
			return err
		}
		if serr := molecule.Sleep(j.storing, pause); serr != nil {
			return errors.Join(err, serr)
		}
	}
}
