package scheduler

import (
	"cmp"
	"slices"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// maxNamed is how many schedules a digest names.
const maxNamed = 20

// digest gathers what was missed while nobody could fire, so that a pause of
// the daemon is told once and not once for each schedule. nil gathers nothing.
type digest struct {
	Since     time.Time `json:"since"` // the oldest slot that passed
	Schedules int       `json:"schedules"`
	Missed    int       `json:"missed"` // slots
	Late      int       `json:"late"`   // slots that fire all the same
	Names     []string  `json:"names"`  // the first of the schedules

	// batch is what is being decided, by schedule: a decision is made again when
	// its transaction is.
	batch map[string]passedBy
}

// passedBy is what one schedule missed in one claim.
type passedBy struct {
	name         string
	since        time.Time
	missed, late int
}

func newDigest() *digest { return &digest{batch: make(map[string]passedBy)} }

// add takes the rows of one decision.
func (g *digest) add(s molecule.Schedule, runs []molecule.Run) {
	if g == nil {
		return
	}
	by := passedBy{name: s.Name}
	for _, r := range runs {
		switch {
		case r.Outcome == molecule.OutcomeMissed:
			by.missed += r.Slots
		case r.Trigger == molecule.TriggerCatchUp:
			by.late++
		default:
			continue
		}
		if by.since.IsZero() || r.Slot.Before(by.since) {
			by.since = r.Slot
		}
	}
	delete(g.batch, s.ID)
	if by.missed+by.late > 0 {
		g.batch[s.ID] = by
	}
}

// settle counts the decisions of a transaction that was stored.
func (g *digest) settle() {
	stored := make([]passedBy, 0, len(g.batch))
	for _, by := range g.batch {
		stored = append(stored, by)
	}
	slices.SortFunc(stored, func(a, b passedBy) int { return cmp.Compare(a.name, b.name) })
	for _, by := range stored {
		if g.Since.IsZero() || by.since.Before(g.Since) {
			g.Since = by.since
		}
		g.Schedules++
		g.Missed += by.missed
		g.Late += by.late
		if len(g.Names) < maxNamed && !slices.Contains(g.Names, by.name) {
			g.Names = append(g.Names, by.name)
		}
	}
	clear(g.batch)
}
