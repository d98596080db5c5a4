package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

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

// miss ends a run that waited for its agent to no avail: nothing was sent.
func (j *journey) miss() error {
	j.finish(Verdict{Outcome: molecule.OutcomeMissed, Reason: "the agent was offline until the deadline"})
	return nil
}

// leave lets go of a run because the daemon stops. A task that the agent has
// taken goes on without us, and the next start looks it up.
func (j *journey) leave() error {
	if j.run.Handle == "" && j.run.Policy.Resend != molecule.ResendSafe {
		j.finish(Verdict{Outcome: molecule.OutcomeUnknown, Reason: "the daemon stopped while it was being sent"})
	}
	return nil
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
