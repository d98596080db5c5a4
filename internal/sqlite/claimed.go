package sqlite

import (
	"context"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// claimed is a decision about one schedule on its way into the store.
type claimed struct {
	schedule molecule.Schedule
	decision molecule.Claim
	rows     []molecule.Run // to be inserted

	// What inserting them has shown.
	open []molecule.Run
	last time.Time // the last slot they cover
}

// insertClaimed inserts the rows of claims. A slot that has its row already is
// left as it is.
func insertClaimed(ctx context.Context, tx *Tx, claims []*claimed) error {
	var rows []*molecule.Run
	for _, c := range claims {
		s := &c.schedule
		for i := range c.rows {
			r := &c.rows[i]
			r.ScheduleID, r.Schedule, r.AgentID, r.Agent, r.Policy = s.ID, s.Name, s.AgentID, s.Agent, s.Policy
			if err := promptOf(ctx, tx, s, r); err != nil {
				return err
			}
			c.last = r.Slot
			if !r.SlotTo.IsZero() {
				c.last = r.SlotTo
			}
			rows = append(rows, r)
		}
	}
	if err := insertRuns(ctx, tx, rows); err != nil {
		return err
	}
	var over []*end
	for _, c := range claims {
		for _, r := range c.rows {
			switch {
			case r.ID == "": // not inserted
			case r.State == molecule.RunFinished:
				over = append(over, &end{run: r})
			default:
				c.open = append(c.open, r)
			}
		}
	}
	if err := settleSchedules(ctx, tx, over); err != nil {
		return err
	}
	for _, e := range over {
		if err := runEvent(ctx, tx, molecule.EventRunFinished, e.run); err != nil {
			return err
		}
	}
	return nil
}

// promptOf gives a run the prompt of its schedule, unless it has one of its own.
func promptOf(ctx context.Context, tx *Tx, s *molecule.Schedule, r *molecule.Run) error {
	if r.Prompt == "" || r.Prompt == s.Prompt {
		r.Prompt = s.Prompt
		return nil
	}
	_, err := keepPrompt(ctx, tx, r.Prompt)
	return err
}
