package api

import (
	"context"
	"net/http"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

func (s *Server) secretMap(w http.ResponseWriter, r *http.Request) error {
	out, err := s.Rotations.SecretMap(r.Context())
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, out)
}

func (s *Server) applySecretMap(w http.ResponseWriter, r *http.Request) error {
	in, err := decode[molecule.SecretMap](r)
	if err != nil {
		return err
	}
	if err := s.Rotations.ApplySecretMap(r.Context(), in); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) secretCopies(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r, "secret")
	name := q.text("secret")
	if q.err != nil {
		return q.err
	}
	all, err := s.Rotations.SecretCopies(r.Context(), name)
	if err != nil {
		return err
	}
	return encodePage(w, molecule.Page[molecule.SecretCopy]{Items: all})
}

func (s *Server) planRotation(w http.ResponseWriter, r *http.Request) error {
	out, err := s.Rotations.PlanRotation(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, out)
}

// rotateSecret waits until the rotation of the secret of the path is settled, as
// long as a request may last; it goes on then.
func (s *Server) rotateSecret(w http.ResponseWriter, r *http.Request) error {
	in, err := decode[molecule.NewRotation](r)
	if err != nil {
		return err
	}
	in.Secret = r.PathValue("ref")
	ctx, cancel := context.WithTimeout(r.Context(), wire.MaxRotationWait)
	defer cancel()
	out, err := s.Rotations.Rotate(ctx, in)
	if err != nil {
		return err
	}
	return encode(w, http.StatusCreated, out)
}

func (s *Server) rotationList(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r, "all")
	everything := q.flag("all")
	if q.err != nil {
		return q.err
	}
	all, err := s.Rotations.Rotations(r.Context(), everything)
	if err != nil {
		return err
	}
	return encodePage(w, molecule.Page[molecule.Rotation]{Items: all})
}

func (s *Server) rotation(w http.ResponseWriter, r *http.Request) error {
	out, err := s.Rotations.Rotation(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, out)
}

func (s *Server) rotationJournal(w http.ResponseWriter, r *http.Request) error {
	all, err := s.Rotations.RotationJournal(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	return encodePage(w, molecule.Page[molecule.JournalRow]{Items: all})
}

// orderRotation returns the handler of what a person says to a rotation.
func (s *Server) orderRotation(order func(molecule.RotationService, context.Context, string) (molecule.Rotation, error)) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), wire.MaxRotationWait)
		defer cancel()
		out, err := order(s.Rotations, ctx, r.PathValue("ref"))
		if err != nil {
			return err
		}
		return encode(w, http.StatusOK, out)
	}
}
