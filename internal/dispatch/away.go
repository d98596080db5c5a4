package dispatch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// probePause is how long an agent that is offline is left in peace between two
// looks for it.
const probePause = 15 * time.Second

// away are the agents that runs wait for. The zero value is ready for use.
type away struct {
	mu    sync.Mutex
	waits map[string]chan struct{} // closed when the agent is back
}

// until returns a channel that is closed when the agent is back.
func (a *away) until(agentID string) <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waits == nil {
		a.waits = make(map[string]chan struct{})
	}
	if a.waits[agentID] == nil {
		a.waits[agentID] = make(chan struct{})
	}
	return a.waits[agentID]
}

// Returned tells the runs that wait for an agent that it is there again.
func (d *Dispatcher) Returned(agentID string) {
	d.away.mu.Lock()
	defer d.away.mu.Unlock()
	if c := d.away.waits[agentID]; c != nil {
		close(c)
		delete(d.away.waits, agentID)
	}
}

// await waits for an agent that is offline until it is back or can be reached.
// When the deadline comes first the slot was missed. It reports false when the
// run has ended, or stays for the next start.
func (j *journey) await(agent molecule.Agent, courier Courier, deadline time.Time) (there bool, err error) {
	prober, asks := courier.(Prober)
	for first := true; ; first = false {
		back := j.away.until(agent.ID) // before the look: what comes behind it is not missed
		if asks && prober.Reachable(j.deliveries, agent) {
			return true, nil
		}
		if first {
			err = j.persist(func(ctx context.Context) error {
				return j.Store.SetRunWaiting(ctx, j.run.ID, molecule.RunAway, "the agent is offline", deadline)
			})
			if err != nil {
				return false, fmt.Errorf("note that a run waits: %w", err)
			}
		}
		left := time.Until(deadline)
		if left <= 0 {
			return false, j.miss()
		}
		if !j.rest(min(probePause, left), back) {
			j.canceled()
			return false, nil // stopping: the next start waits on
		}
		if there, ended, err := j.lookAgain(); there || ended || err != nil {
			return there, err
		}
	}
}

// rest waits for d or until back is closed. It reports whether the run goes on.
func (j *journey) rest(d time.Duration, back <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-back:
	case <-j.deliveries.Done():
	}
	return j.deliveries.Err() == nil
}

// lookAgain reads what is believed of the agent by now.
func (j *journey) lookAgain() (there, ended bool, err error) {
	agent, found, err := j.agent()
	switch {
	case err != nil:
		return false, false, err
	case !found:
		return false, true, j.block("the agent was removed")
	case agent.State.Runs() == molecule.HandlingBlock:
		return false, true, j.block(string(agent.State))
	}
	return agent.State.Runs() == molecule.HandlingSend, false, nil
}
