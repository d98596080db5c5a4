package api

import (
	"context"
	"net/http"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func (s *Server) scheduleList(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r, "agent", "state", "limit", "cursor")
	f := molecule.ScheduleFilter{
		Agent: q.text("agent"), State: molecule.ScheduleState(q.text("state")),
		Limit: q.limit(), Cursor: q.text("cursor"),
	}
	if q.err != nil {
		return q.err
	}
	page, err := s.Schedules.Schedules(r.Context(), f)
	if err != nil {
		return err
	}
	return encodePage(w, page)
}

func (s *Server) createSchedule(w http.ResponseWriter, r *http.Request) error {
	in, err := decode[molecule.Schedule](r)
	if err != nil {
		return err
	}
	if err := s.Schedules.CreateSchedule(r.Context(), &in); err != nil {
		return err
	}
	return encode(w, http.StatusCreated, in)
}

func (s *Server) schedule(w http.ResponseWriter, r *http.Request) error {
	return oneSchedule(w, r, s.Schedules.Schedule)
}

func (s *Server) updateSchedule(w http.ResponseWriter, r *http.Request) error {
	up, err := decode[molecule.ScheduleUpdate](r)
	if err != nil {
		return err
	}
	return oneSchedule(w, r, func(ctx context.Context, ref string) (molecule.Schedule, error) {
		return s.Schedules.UpdateSchedule(ctx, ref, up)
	})
}

func (s *Server) pauseSchedule(w http.ResponseWriter, r *http.Request) error {
	return oneSchedule(w, r, s.Schedules.PauseSchedule)
}

func (s *Server) resumeSchedule(w http.ResponseWriter, r *http.Request) error {
	return oneSchedule(w, r, s.Schedules.ResumeSchedule)
}

// oneSchedule answers with what do returns for the schedule of the path.
func oneSchedule(
	w http.ResponseWriter, r *http.Request, do func(context.Context, string) (molecule.Schedule, error),
) error {
	sched, err := do(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, sched)
}

func (s *Server) removeSchedule(w http.ResponseWriter, r *http.Request) error {
	if err := s.Schedules.RemoveSchedule(r.Context(), r.PathValue("ref")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) triggerSchedule(w http.ResponseWriter, r *http.Request) error {
	run, err := s.Schedules.TriggerSchedule(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	return encode(w, http.StatusCreated, run)
}

// explainSlot answers why a slot is what it is; the newest when none is named.
func (s *Server) explainSlot(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r, "slot")
	slot := q.instant("slot")
	if q.err != nil {
		return q.err
	}
	e, err := s.Schedules.ExplainSlot(r.Context(), r.PathValue("ref"), slot)
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, e)
}

// nextSlots answers the next n slots; 3 when n is not given.
func (s *Server) nextSlots(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r, "n")
	n := int(min(q.number("n"), molecule.MaxLimit))
	if q.err != nil {
		return q.err
	}
	if n == 0 {
		n = 3
	}
	slots, err := s.Schedules.NextSlots(r.Context(), r.PathValue("ref"), n)
	if err != nil {
		return err
	}
	return encodePage(w, molecule.Page[time.Time]{Items: slots})
}

// scheduleHistory answers the sums of a schedule's runs, by days unless hours
// are asked for.
func (s *Server) scheduleHistory(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r, "by", "since", "limit", "cursor")
	f := molecule.HistoryFilter{
		By: molecule.Span(q.text("by")), Since: q.instant("since"), Limit: q.limit(), Cursor: q.text("cursor"),
	}
	if q.err != nil {
		return q.err
	}
	page, err := s.Schedules.ScheduleHistory(r.Context(), r.PathValue("ref"), f)
	if err != nil {
		return err
	}
	return encodePage(w, page)
}
