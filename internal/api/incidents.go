package api

import (
	"net/http"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func (s *Server) incidentList(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r, "all", "kind", "subject", "limit", "cursor")
	f := molecule.IncidentFilter{
		All: q.flag("all"), Kind: q.text("kind"), Subject: q.text("subject"), Limit: q.limit(), Cursor: q.text("cursor"),
	}
	if q.err != nil {
		return q.err
	}
	page, err := s.Incidents.Incidents(r.Context(), f)
	if err != nil {
		return err
	}
	return encodePage(w, page)
}

func (s *Server) incident(w http.ResponseWriter, r *http.Request) error {
	in, err := s.Incidents.Incident(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, in)
}

func (s *Server) ackIncident(w http.ResponseWriter, r *http.Request) error {
	in, err := s.Incidents.AckIncident(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, in)
}
