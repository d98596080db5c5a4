package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
)

// newScheduleWhyCmd makes schedule why.
func newScheduleWhyCmd(a *app) *cobra.Command {
	var at string
	cmd := a.scheduleVerb(leaf{
		use:   "why NAME",
		short: "Tell why a slot ran, waited, was skipped or missed",
		long: "Tells what became of one slot and why, step by step. Without --slot it is the newest\n" +
			"slot that has a row, or else the one that comes next.",
		examples: "  molecli schedule why hello\n  molecli schedule why hello --slot 2026-11-24T08:00:00Z",
	}, func(ctx context.Context, s *session, ref string) error {
		slot, err := s.readSlot(ctx, ref, at)
		if err != nil {
			return err
		}
		e, err := s.client.ExplainSlot(ctx, ref, slot)
		if err != nil {
			return err
		}
		if s.structured() {
			return s.encode(e)
		}
		if s.config.Output == outName {
			return s.line("%s", e.Schedule)
		}
		return explanationRecord(e).Write(s.Out, s.layout)
	})
	cmd.Flags().StringVar(&at, "slot", "", "the slot: RFC 3339, or a time in the zone of the schedule (the newest when not given)")
	return cmd
}

// readSlot reads an instant; the zero time for "". One without a zone is in that
// of the schedule.
func (s *session) readSlot(ctx context.Context, ref, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if slot, err := time.Parse(time.RFC3339, text); err == nil {
		return slot, nil
	}
	if text[0] >= '0' && text[0] <= '9' { // tomorrow is a matter of now
		sched, err := s.client.Schedule(ctx, ref)
		if err != nil {
			return time.Time{}, err
		}
		if slot, err := cron.ParseAt(text, sched.TZ, time.Time{}); err == nil {
			return slot, nil
		}
	}
	return time.Time{}, molecule.Errorf(molecule.Invalid, "--slot %q is no instant", text).
		WithHint("write it as run list does: 2026-11-24T08:00:00Z; or, in the zone of the schedule, 2026-11-24T08:00")
}

// explanationRecord is the whole story on one screen.
func explanationRecord(e molecule.Explanation) term.Record {
	rec := term.Record{
		{Title: "schedule", Cell: term.Text(e.Schedule)},
		{Title: "slot", Cell: term.When(e.Slot)},
		{Title: "why", Cell: term.Text(e.Why)},
	}
	for _, line := range e.Story {
		rec = append(rec, term.Field{Title: "story", Cell: term.Text(line)})
	}
	if e.Run != nil && e.Run.Reply != "" {
		rec = append(rec, term.Field{Title: "reply", Cell: term.Text(e.Run.Reply)})
	}
	return rec
}
