package api

import (
	"net/http"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func (s *Server) whoAmI(w http.ResponseWriter, r *http.Request) error {
	id, err := s.Tokens.WhoAmI(r.Context())
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, id)
}

func (s *Server) tokenList(w http.ResponseWriter, r *http.Request) error {
	all, err := s.Tokens.Tokens(r.Context())
	if err != nil {
		return err
	}
	return encodePage(w, molecule.Page[molecule.Token]{Items: all})
}

func (s *Server) createToken(w http.ResponseWriter, r *http.Request) error {
	in, err := decode[molecule.NewToken](r)
	if err != nil {
		return err
	}
	if err := s.Tokens.CreateToken(r.Context(), &in); err != nil {
		return err
	}
	return encode(w, http.StatusCreated, in)
}

func (s *Server) revokeToken(w http.ResponseWriter, r *http.Request) error {
	t, err := s.Tokens.RevokeToken(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, t)
}
