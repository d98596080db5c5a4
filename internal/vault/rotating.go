package vault

import (
	"context"
	"fmt"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Seal seals a value as a version of a secret, which is stored by whoever asked.
// It waits for no database, so that it may be called while one is written.
func (s *Service) Seal(ctx context.Context, of molecule.StoredSecret, version int, value []byte) (molecule.Sealed, error) {
	return s.sealed(ctx, of, version, value)
}

// Ready opens the vault, which Seal and Fingerprint need.
func (s *Service) Ready(ctx context.Context) error { return s.open(ctx) }

// OpenVersion opens a version of a secret for a part of the daemon itself. One
// that is not there is a NotFound.
func (s *Service) OpenVersion(ctx context.Context, secretID string, version int) (molecule.Secret, error) {
	_, v, err := s.store.SealedVersion(ctx, secretID, version)
	if err != nil {
		return molecule.Secret{}, err
	}
	return s.opened(v)
}

// InUse opens the version in use of the secret of a name; the zero Secret when
// there is none.
func (s *Service) InUse(ctx context.Context, name string) (molecule.StoredSecret, molecule.Secret, error) {
	of, v, err := s.store.SealedVersion(ctx, name, 0)
	switch {
	case molecule.CodeOf(err) == molecule.NotFound, err == nil && of.Name != name: // a name may look like an id
		return molecule.StoredSecret{}, molecule.Secret{}, nil
	case err != nil:
		return of, molecule.Secret{}, err
	}
	value, err := s.opened(v)
	return of, value, err
}

func (s *Service) opened(v molecule.Sealed) (molecule.Secret, error) {
	value, err := s.keys.open(v)
	if err != nil {
		return molecule.Secret{}, fmt.Errorf("open a secret: %w", err)
	}
	return molecule.NewSecret(string(value)), nil
}

// Fingerprint returns what can be shown of a value of a secret. The vault has to
// be [Service.Ready].
func (s *Service) Fingerprint(secretID string, value molecule.Secret) string {
	return s.keys.fingerprint(secretID, []byte(value.Reveal()))
}
