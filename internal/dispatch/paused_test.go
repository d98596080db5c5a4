package dispatch_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// believe makes a store believe that an agent is in a state.
func (b *bench) believe(name string, s molecule.AgentState) {
	b.t.Helper()
	_, err := b.db.SetAgentState(b.t.Context(), name, func(a *molecule.Agent) error {
		a.State = s
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func TestDispatcher_sendsInEachStateWhatItsRowSays(t *testing.T) {
	t.Parallel()
	for _, row := range molecule.AgentStates() {
		if row.State == molecule.AgentOffline || row.State == molecule.AgentRemoved {
			continue // one waits, the other is not there
		}
		t.Run(string(row.State), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				var sent notes
				b := newBench(t, dir, molecule.AgentPush, func(_ context.Context, d molecule.Delivery) molecule.Reply {
					sent.add(d)
					return says(d.Text)
				})
				a := b.agent("a", molecule.AgentPush, 1)
				b.believe("a", row.State)
				id := b.send(a, "work")
				time.Sleep(time.Second)
				want, times := molecule.OutcomeOK, 1
				if row.Runs == molecule.HandlingBlock {
					want, times = molecule.OutcomeBlocked, 0
				}
				if r := b.run(id); r.Outcome != want || sent.count() != times || want == molecule.OutcomeBlocked && r.Reason != string(row.State) {
					t.Errorf("the run of an agent that is %s ended as %q: %s after %d deliveries", row.State, r.Outcome, r.Reason, sent.count())
				}
				b.close()
			})
		})
	}
}
