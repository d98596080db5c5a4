package api

import (
	"context"
	"net/http"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func (s *Server) agentList(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r, "kind", "state", "limit", "cursor")
	f := molecule.AgentFilter{
		Kind: molecule.AgentKind(q.text("kind")), State: molecule.AgentState(q.text("state")),
		Limit: q.limit(), Cursor: q.text("cursor"),
	}
	if q.err != nil {
		return q.err
	}
	page, err := s.Agents.Agents(r.Context(), f)
	if err != nil {
		return err
	}
	return encodePage(w, page)
}

func (s *Server) createAgent(w http.ResponseWriter, r *http.Request) error {
	in, err := decode[molecule.Agent](r)
	if err != nil {
		return err
	}
	if err := s.Agents.CreateAgent(r.Context(), &in); err != nil {
		return err
	}
	return encode(w, http.StatusCreated, in)
}

func (s *Server) agent(w http.ResponseWriter, r *http.Request) error {
	a, err := s.Agents.Agent(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, a)
}

func (s *Server) updateAgent(w http.ResponseWriter, r *http.Request) error {
	up, err := decode[molecule.AgentUpdate](r)
	if err != nil {
		return err
	}
	a, err := s.Agents.UpdateAgent(r.Context(), r.PathValue("ref"), up)
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, a)
}

func (s *Server) removeAgent(w http.ResponseWriter, r *http.Request) error {
	if err := s.Agents.RemoveAgent(r.Context(), r.PathValue("ref")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) pauseAgent(w http.ResponseWriter, r *http.Request) error {
	return changeAgent(w, r, s.Agents.PauseAgent)
}

func (s *Server) resumeAgent(w http.ResponseWriter, r *http.Request) error {
	return changeAgent(w, r, s.Agents.ResumeAgent)
}

func (s *Server) confirmOffline(w http.ResponseWriter, r *http.Request) error {
	return changeAgent(w, r, s.Agents.ConfirmOffline)
}

// changeAgent makes a change that needs no more than to say of whom.
func changeAgent(w http.ResponseWriter, r *http.Request, change func(context.Context, string) (molecule.Agent, error)) error {
	a, err := change(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, a)
}

func (s *Server) agentHistory(w http.ResponseWriter, r *http.Request) error {
	h, err := s.Agents.AgentHistory(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, h)
}

func (s *Server) createEnrolment(w http.ResponseWriter, r *http.Request) error {
	in, err := decode[molecule.Enrolment](r)
	if err != nil {
		return err
	}
	if err := s.Enrolments.CreateEnrolment(r.Context(), &in); err != nil {
		return err
	}
	return encode(w, http.StatusCreated, in)
}

// encodePage writes a page; an empty one has an empty list, never null.
func encodePage[T any](w http.ResponseWriter, page molecule.Page[T]) error {
	if page.Items == nil {
		page.Items = []T{}
	}
	return encode(w, http.StatusOK, page)
}
