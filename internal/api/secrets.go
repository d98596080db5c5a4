package api

import (
	"net/http"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func (s *Server) secretList(w http.ResponseWriter, r *http.Request) error {
	all, err := s.Secrets.Secrets(r.Context())
	if err != nil {
		return err
	}
	return encodePage(w, molecule.Page[molecule.StoredSecret]{Items: all})
}

func (s *Server) secret(w http.ResponseWriter, r *http.Request) error {
	out, err := s.Secrets.Secret(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, out)
}

func (s *Server) addSecret(w http.ResponseWriter, r *http.Request) error {
	in, err := decode[molecule.NewSecretValue](r)
	if err != nil {
		return err
	}
	out, err := s.Secrets.AddSecret(r.Context(), in)
	if err != nil {
		return err
	}
	return encode(w, http.StatusCreated, out)
}

// setSecret stores a version of the secret of the path, which the body need not
// name.
func (s *Server) setSecret(w http.ResponseWriter, r *http.Request) error {
	in, err := decode[molecule.NewSecretValue](r)
	if err != nil {
		return err
	}
	in.Name = r.PathValue("ref")
	out, err := s.Secrets.SetSecret(r.Context(), in)
	if err != nil {
		return err
	}
	return encode(w, http.StatusCreated, out)
}

func (s *Server) removeSecret(w http.ResponseWriter, r *http.Request) error {
	if err := s.Secrets.RemoveSecret(r.Context(), r.PathValue("ref")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// revealRequest asks for a value.
type revealRequest struct {
	Version int    `json:"version"`
	Reason  string `json:"reason"`
}

func (s *Server) revealSecret(w http.ResponseWriter, r *http.Request) error {
	in, err := decode[revealRequest](r)
	if err != nil {
		return err
	}
	out, err := s.Secrets.RevealSecret(r.Context(), r.PathValue("ref"), in.Version, in.Reason)
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, out)
}

func (s *Server) rewrapSecrets(w http.ResponseWriter, r *http.Request) error {
	out, err := s.Secrets.RewrapSecrets(r.Context())
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, out)
}
