package api

import (
	"context"
	"net/http"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

func (s *Server) runList(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r, "schedule", "agent", "outcome", "open", "limit", "cursor")
	f := molecule.RunFilter{
		Schedule: q.text("schedule"), Agent: q.text("agent"), Outcome: molecule.Outcome(q.text("outcome")),
		Open: q.flag("open"), Limit: q.limit(), Cursor: q.text("cursor"),
	}
	if q.err != nil {
		return q.err
	}
	page, err := s.Runs.Runs(r.Context(), f)
	if err != nil {
		return err
	}
	return encodePage(w, page)
}

func (s *Server) startRun(w http.ResponseWriter, r *http.Request) error {
	in, err := decode[molecule.NewRun](r)
	if err != nil {
		return err
	}
	run, err := s.Runs.StartRun(r.Context(), in)
	if err != nil {
		return err
	}
	return encode(w, http.StatusCreated, run)
}

func (s *Server) cancelRun(w http.ResponseWriter, r *http.Request) error {
	run, err := s.Runs.CancelRun(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, run)
}

func (s *Server) retryRun(w http.ResponseWriter, r *http.Request) error {
	run, err := s.Runs.RetryRun(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	return encode(w, http.StatusCreated, run)
}

// run answers one run. With ?wait= it first waits, at most that long and at
// most wire.MaxRunWait, for the run to end; the answer may be open all the same.
func (s *Server) run(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r, "wait")
	wait := min(q.duration("wait"), wire.MaxRunWait)
	if q.err != nil {
		return q.err
	}
	ref := r.PathValue("ref")
	if wait > 0 {
		if err := s.waitRun(r.Context(), ref, wait); err != nil {
			return err
		}
	}
	run, err := s.Runs.Run(r.Context(), ref)
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, run)
}

// waitRun returns when the run has ended or wait has passed.
func (s *Server) waitRun(ctx context.Context, ref string, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if _, err := s.Runs.WaitRun(ctx, ref); err != nil && molecule.CodeOf(err) != molecule.Timeout {
		return err
	}
	return nil
}
