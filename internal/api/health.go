package api

import (
	"net/http"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// healthBody is what anyone may know: the process answers.
const healthBody = `{"status":"ok"}` + "\n"

// health answers a constant; ?verbose adds the liveness for whoever may read it.
func (s *Server) health(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Has("verbose") && molecule.PrincipalFrom(r.Context()).May(molecule.ScopeLivenessRead) {
		l, err := s.Liveness.Liveness(r.Context())
		if err != nil {
			return err
		}
		return encode(w, http.StatusOK, map[string]any{"status": "ok", "liveness": l})
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(healthBody)) // the reader may be gone
	return nil
}

// ready answers 503 while a critical subsystem is not healthy; whoever may
// read the liveness is told which.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) error {
	waiting := s.Ready()
	body := map[string]any{"status": "ready"}
	status := http.StatusOK
	if len(waiting) > 0 {
		body["status"], status = "not ready", http.StatusServiceUnavailable
		if molecule.PrincipalFrom(r.Context()).May(molecule.ScopeLivenessRead) {
			body["subsystems"] = waiting
		}
	}
	return encode(w, status, body)
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) error {
	s.Metrics.ServeHTTP(w, r)
	return nil
}

func (s *Server) liveness(w http.ResponseWriter, r *http.Request) error {
	l, err := s.Liveness.Liveness(r.Context())
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, l)
}

// schedulerHealth answers for the one subsystem older probes ask for.
func (s *Server) schedulerHealth(w http.ResponseWriter, r *http.Request) error {
	l, err := s.Liveness.Liveness(r.Context())
	if err != nil {
		return err
	}
	sub := l.Subsystems["scheduler"]
	healthy := sub.State == molecule.SubsystemHealthy || sub.State == molecule.SubsystemStarting && sub.WithinGrace
	status := http.StatusOK
	if !healthy {
		status = http.StatusServiceUnavailable
	}
	return encode(w, status, map[string]any{
		"healthy": healthy, "last_tick_at": sub.LastTickAt, "seconds_ago": sub.SecondsAgo,
	})
}

func (s *Server) dump(w http.ResponseWriter, r *http.Request) error {
	text, err := s.Liveness.SubsystemDump(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(text)) // the reader may be gone
	return nil
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) error {
	st, err := s.Status.Status(r.Context())
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, st)
}
