package dispatch_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/dispatch"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// reports keeps the last that was told of each kind of incident.
type reports struct {
	mu   sync.Mutex
	last map[string][]molecule.Incident
}

func (r *reports) Report(kind string, _ time.Time, found ...molecule.Incident) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last = make(map[string][]molecule.Incident)
	}
	r.last[kind] = found
}

func (r *reports) overdue() []molecule.Incident {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last[molecule.IncidentRunOverdue]
}

// TestDispatcher_freesThePlaceOfADeliveryThatDoesNotReturn: a courier that is
// deaf to its deadline costs its agent a minute more, and not the place.
func TestDispatcher_freesThePlaceOfADeliveryThatDoesNotReturn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		hear := make(chan struct{})
		var told reports
		b := newBench(t, dir, molecule.AgentPush, func(_ context.Context, d molecule.Delivery) molecule.Reply {
			if d.Text == "be deaf" {
				<-hear
			}
			return says(d.Text)
		}, func(o *dispatch.Options) { o.Incidents = &told })
		a := b.agent("a", molecule.AgentPush, 1)
		deaf, behind := b.sendWithin(a, "be deaf", 5*time.Minute), b.send(a, "work")
		time.Sleep(5*time.Minute + 59*time.Second)
		synctest.Wait()
		if r := b.run(deaf); r.State != molecule.RunStarted {
			t.Errorf("within a minute of its deadline it is %s", r.State)
		}
		if found := told.overdue(); len(found) != 0 {
			t.Errorf("an incident is told before its time: %+v", found)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if r := b.run(deaf); r.Outcome != molecule.OutcomeTimeout || r.Reason != "the delivery went on behind the deadline and was given up" {
			t.Errorf("a minute behind its deadline it is %s %q: %s", r.State, r.Outcome, r.Reason)
		}
		if r := b.run(behind); r.Outcome != molecule.OutcomeOK {
			t.Errorf("the run behind it is %s %q", r.State, r.Outcome)
		}
		if queued, active := b.d.Load(); queued != 0 || active != 0 {
			t.Errorf("%d wait and %d are on their way", queued, active)
		}
		want := []molecule.Incident{{
			Kind: molecule.IncidentRunOverdue, Subject: "agent/a", Severity: molecule.SeverityWarning, Count: 1,
			Title:    "deliveries to agent a do not end: 1 went on behind their deadline, and their places were freed",
			Evidence: molecule.Evidence{Names: []string{deaf}, Total: 1},
		}}
		if diff := cmp.Diff(told.overdue(), want); diff != "" {
			t.Errorf("incidents (-got +want):\n%s", diff)
		}
		close(hear)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if found := told.overdue(); len(found) != 0 {
			t.Errorf("when it is back its incident is still told: %+v", found)
		}
		if r := b.run(deaf); r.Outcome != molecule.OutcomeTimeout {
			t.Errorf("its late answer made it %q", r.Outcome)
		}
		again := b.send(a, "more work")
		time.Sleep(time.Second)
		if r := b.run(again); r.Outcome != molecule.OutcomeOK {
			t.Errorf("a run after all that is %s %q", r.State, r.Outcome)
		}
		b.close()
	})
}
