package dispatch

import (
	"fmt"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// grace is how long behind its deadline a delivery may still hold its place.
const grace = time.Minute

// Incidents is told of what a person should know.
type Incidents interface {
	// Report tells all that is wrong of a kind at one time.
	Report(kind string, at time.Time, found ...molecule.Incident)
}

// lease says until when a run under way may hold its place.
func (q *queues) lease(id string, deadline time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held[id].lease = deadline.Add(grace)
}

// overdue returns the runs whose lease is over, and those among them that still
// hold their place.
func (q *queues) overdue(now time.Time) (all, holding []molecule.Run) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, h := range q.held {
		if !h.active || h.lease.IsZero() || !now.After(h.lease) {
			continue
		}
		all = append(all, h.run)
		if !h.expired {
			h.expired = true
			holding = append(holding, h.run)
		}
	}
	return all, holding
}

// expire gives the place of an overdue run back. It stays held until its
// delivery returns.
func (q *queues) expire(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if h := q.held[id]; h != nil && !h.freed {
		h.freed = true
		q.lost++
		q.leave(h)
	}
}

// reclaim ends the runs whose lease is over and gives their places back: a
// courier that does not return costs its agent a while, and not the place.
func (d *Dispatcher) reclaim(now time.Time, end func(molecule.Run)) {
	all, holding := d.queues.overdue(now)
	for _, r := range holding {
		end(r)
	}
	if d.Incidents != nil {
		d.Incidents.Report(molecule.IncidentRunOverdue, now, overdueIncidents(all)...)
	}
}

// overdueIncidents are one for each agent.
func overdueIncidents(runs []molecule.Run) []molecule.Incident {
	var found []molecule.Incident
	at := make(map[string]int) // of an agent in found
	for _, r := range runs {
		i, known := at[r.AgentID]
		if !known {
			i = len(found)
			at[r.AgentID] = i
			found = append(found, molecule.Incident{
				Kind: molecule.IncidentRunOverdue, Subject: "agent/" + r.Agent, Severity: molecule.SeverityWarning,
			})
		}
		in := &found[i]
		in.Count++
		in.Evidence.Names = append(in.Evidence.Names, r.ID)
		in.Evidence.Total = in.Count
		in.Title = fmt.Sprintf("deliveries to agent %s do not end: %d went on behind their deadline, and their places were freed", r.Agent, in.Count)
	}
	return found
}
