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

// Pauses of storing again what the store could not take.
const (
	firstPause = 100 * time.Millisecond
	longPause  = 5 * time.Second
)

// journey is one run on its way.
type journey struct {
	*Dispatcher
	run        molecule.Run
	known      *molecule.Agent // its agent, as it was when the run was taken; nil: not read
	adopted    time.Time       // when it was found in the store; zero: whoever claimed it handed it over
	deliveries context.Context // ends when the daemon stops delivering, or the run is canceled
	storing    context.Context // ends when the daemon stops altogether
	broken     bool            // by a mistake of ours
}

// travel takes the run from where it is to its end.
func (j *journey) travel() error {
	if j.canceled() {
		return nil
	}
	if ended, err := j.resume(); ended || err != nil {
		return err
	}
	agent, found, err := j.agent()
	if err != nil {
		return err
	}
	if !found {
		return j.block("the agent was removed")
	}
	if agent.State.Runs() == molecule.HandlingBlock && j.run.Handle == "" {
		return j.block(string(agent.State))
	}
	j.queues.setLimit(agent.ID, agent.MaxConcurrent)
	j.wake() // the limit may leave room for more
	courier := j.Couriers[agent.Kind]
	if courier == nil {
		return j.block(fmt.Sprintf("agents of kind %s cannot be reached", agent.Kind))
	}
	if j.run.Attempt == 0 {
		why, err := j.pass(agent)
		if err != nil {
			return err
		}
		if why != "" {
			return j.block("budget: " + why)
		}
	}
	return j.attempts(agent, courier)
}

// canceled ends a run that was canceled before anything was sent.
func (j *journey) canceled() bool {
	var c canceled
	if !errors.As(context.Cause(j.deliveries), &c) {
		return false
	}
	j.finish(Verdict{Outcome: molecule.OutcomeCanceled, Reason: c.why})
	return true
}

// block ends a run that a rule of ours stops.
func (j *journey) block(why string) error {
	j.finish(Verdict{Outcome: molecule.OutcomeBlocked, Reason: why})
	return nil
}

// resume decides about a run that this process did not claim. It reports
// whether that ended the run.
func (j *journey) resume() (ended bool, err error) {
	switch {
	case j.run.State == molecule.RunClaimed:
		if j.Stale == nil || j.adopted.IsZero() {
			return false, nil
		}
		why := j.Stale(j.storing, j.run, j.adopted)
		if why == "" {
			return false, nil
		}
		j.finish(Verdict{Outcome: molecule.OutcomeMissed, Reason: why})
		return true, nil
	case j.run.State == molecule.RunAway, j.run.Handle != "":
		return false, nil // nothing was sent, or its courier looks for it
	case j.run.StartedAt.After(molecule.Now()):
		return false, nil // it was only armed
	}
	agent, found, err := j.agent()
	if err != nil {
		return false, err
	}
	if found && agent.Kind == molecule.AgentExec {
		return false, nil // a command is noted before it starts: this one never did
	}
	lost := Verdict{Outcome: molecule.OutcomeUnknown, Reason: "the daemon stopped while it was being sent"}
	if j.run.Policy.Resend == molecule.ResendSafe && molecule.Now().Before(j.run.Deadline) {
		err := j.again(lost, j.run.Attempt, molecule.Now())
		j.run.Attempt++
		return false, err
	}
	j.finish(lost)
	return true, nil
}

// agent returns the agent as it is now: the first time, as it was read a moment
// ago. found is false when it was removed.
func (j *journey) agent() (a molecule.Agent, found bool, err error) {
	if known := j.known; known != nil {
		j.known = nil
		return *known, true, nil
	}
	var agents []molecule.Agent
	err = j.persist(func(ctx context.Context) error {
		var err error
		agents, err = j.Store.Recipients(ctx, []string{j.run.AgentID})
		return err
	})
	if err != nil || len(agents) == 0 {
		return a, false, err
	}
	return agents[0], true, nil
}

// attempts delivers until the verdict is final or the deadline is near.
func (j *journey) attempts(agent molecule.Agent, courier Courier) error {
	j.arming.waiting.Add(1)
	cut := j.hold(j.arming.ahead())
	j.arming.waiting.Add(-1)
	if cut {
		return nil
	}
	started := molecule.Now()
	if started.Before(j.run.DueAt) {
		started = j.run.DueAt
	}
	deadline := j.run.Deadline
	if deadline.IsZero() {
		deadline = started.Add(time.Duration(j.run.Timeout))
	}
	j.queues.lease(j.run.ID, deadline)
	if j.run.State == molecule.RunAway && !started.Before(deadline) {
		return j.miss()
	}
	if agent.State.Runs() == molecule.HandlingWait && j.run.Handle == "" {
		if there, err := j.await(agent, courier, deadline); !there || err != nil {
			return err
		}
		started = molecule.Now()
	}
	first := max(j.run.Attempt, 1)
	for attempt := first; ; attempt++ {
		if j.deliveries.Err() != nil {
			j.canceled()
			return nil // stopping: the row stays open for the next start
		}
		asked := time.Now()
		err := j.persist(func(ctx context.Context) error {
			return j.Store.StartRun(ctx, j.run, started, deadline, attempt)
		})
		j.arming.took(time.Since(asked))
		if molecule.CodeOf(err) == molecule.Conflict {
			return nil // it has ended already
		}
		if err != nil {
			return fmt.Errorf("start run: %w", err)
		}
		j.run.State, j.run.Attempt, j.run.Deadline = molecule.RunStarted, attempt, deadline
		if j.run.StartedAt.IsZero() {
			j.run.StartedAt = started
		}
		if attempt == first && j.hold(0) {
			return nil
		}
		reply := j.deliver(agent, courier, attempt, deadline)
		if reply.Failure == molecule.FailShutdown && agent.Kind != molecule.AgentExec {
			return j.leave()
		}
		v := j.judge(reply)
		pause := v.RetryAfter
		if pause <= 0 {
			pause = Backoff(attempt-first+1, rand.Float64())
		}
		now := molecule.Now()
		if !v.Retry || attempt-first >= retries(v.Outcome, j.run.Policy) || !now.Add(pause).Before(deadline) {
			j.finish(v)
			return nil
		}
		if err := j.again(v, attempt, now); err != nil {
			return err
		}
		if molecule.Sleep(j.deliveries, pause) != nil {
			if !j.canceled() {
				j.finish(v) // stopping: there will be no further attempt
			}
			return nil
		}
		started = molecule.Now()
	}
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

// miss ends a run that waited for its agent to no avail: nothing was sent.
func (j *journey) miss() error {
	j.finish(Verdict{Outcome: molecule.OutcomeMissed, Reason: "the agent was offline until the deadline"})
	return nil
}

// judge is the outcome table, with the policy of the run.
func (j *journey) judge(r molecule.Reply) Verdict {
	v := Judge(r, j.Rules)
	if r.Failure == molecule.FailBroken && j.run.Policy.Resend == molecule.ResendSafe {
		v.Retry = true // the agent knows the message when it comes again
	}
	return v
}

// leave lets go of a run because the daemon stops. A task that the agent has
// taken goes on without us, and the next start looks it up.
func (j *journey) leave() error {
	if j.run.Handle == "" && j.run.Policy.Resend != molecule.ResendSafe {
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
	reply := courier.Deliver(ctx, molecule.Delivery{
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

// finish stores how the run ended. A store that is in trouble is asked again
// until it answers or the daemon is gone; then the next start finds the run.
func (j *journey) finish(v Verdict) {
	var done molecule.Run
	err := j.persist(func(ctx context.Context) error {
		var err error
		done, err = j.Store.FinishRun(ctx, molecule.Finish{
			RunID: j.run.ID, Run: &j.run, Outcome: v.Outcome, Reason: v.Reason, Reply: v.Reply, Usage: v.Usage,
			EndedAt: molecule.Now(), Broken: j.broken,
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
