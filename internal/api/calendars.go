package api

import (
	"net/http"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func (s *Server) calendarList(w http.ResponseWriter, r *http.Request) error {
	all, err := s.Calendars.Calendars(r.Context())
	if err != nil {
		return err
	}
	return encodePage(w, molecule.Page[molecule.Calendar]{Items: all})
}

func (s *Server) calendar(w http.ResponseWriter, r *http.Request) error {
	c, err := s.Calendars.Calendar(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, c)
}

// putCalendar stores the calendar of the path; the name in the body, if any, has
// to be the same.
func (s *Server) putCalendar(w http.ResponseWriter, r *http.Request) error {
	in, err := decode[molecule.Calendar](r)
	if err != nil {
		return err
	}
	name := r.PathValue("ref")
	if in.Name != "" && in.Name != name {
		return molecule.Errorf(molecule.Invalid, "the calendar of path %s cannot be named %s", name, in.Name)
	}
	in.Name = name
	if err := s.Calendars.PutCalendar(r.Context(), &in); err != nil {
		return err
	}
	return encode(w, http.StatusOK, in)
}

func (s *Server) removeCalendar(w http.ResponseWriter, r *http.Request) error {
	if err := s.Calendars.RemoveCalendar(r.Context(), r.PathValue("ref")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
