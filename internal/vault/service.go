package vault

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"sync"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Store keeps what is sealed.
type Store interface {
	CreateSecret(ctx context.Context, s *molecule.StoredSecret, first molecule.Sealed) error
	AddSecretVersion(ctx context.Context, ref string, seal func(s molecule.StoredSecret, version int) (molecule.Sealed, error)) (molecule.StoredSecret, error)
	Secret(ctx context.Context, ref string) (molecule.StoredSecret, error)
	Secrets(ctx context.Context) ([]molecule.StoredSecret, error)
	RemoveSecret(ctx context.Context, ref string) error
	SealedVersion(ctx context.Context, ref string, version int) (molecule.StoredSecret, molecule.Sealed, error)
	NoteReveal(ctx context.Context, name string, version int, reason string) error
	WrappedOtherwise(ctx context.Context, keyID string, behind molecule.Sealed, limit int) ([]molecule.Sealed, error)
	Rewrap(ctx context.Context, before, after []molecule.Sealed) (int, error)
	FinishRewrap(ctx context.Context, name string, before, after molecule.Sealed) error
	VaultRow(ctx context.Context, name string) (molecule.Sealed, bool, error)
	PutVaultRow(ctx context.Context, name string, v molecule.Sealed) error
}

// Service implements [molecule.SecretService].
type Service struct {
	store Store
	keys  *Keyring

	mu    sync.Mutex // held while the vault is opened
	ready bool
}

// NewService returns a Service that seals with keys.
func NewService(store Store, keys *Keyring) *Service { return &Service{store: store, keys: keys} }

// marksRow is where the key of fingerprints is kept. It is no master key's
// child, so that a fingerprint stays when the master key changes.
const marksRow = "fingerprints"

// Check opens the vault if anything was ever sealed, so that a wrong master key is
// told at the start: Unavailable.
func (s *Service) Check(ctx context.Context) error {
	kept, found, err := s.store.VaultRow(ctx, marksRow)
	if err != nil || !found {
		return err
	}
	if _, ok := s.keys.named(kept.KeyID); !ok {
		return molecule.Errorf(molecule.Unavailable, "what is sealed here is wrapped by master key %s, and secrets.master_key is key %s", kept.KeyID, s.keys.KeyID()).
			WithHint("bring that key back, or name it in secrets.previous_key until this was done: molecli secrets rewrap")
	}
	return s.open(ctx)
}

// open makes or reads the key of fingerprints, once.
func (s *Service) open(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready {
		return nil
	}
	kept, found, err := s.store.VaultRow(ctx, marksRow)
	if err != nil {
		return fmt.Errorf("open the vault: %w", err)
	}
	if !found {
		if kept, err = s.makeMarks(ctx); err != nil {
			return err
		}
	}
	kept.SecretID = marksRow
	raw, err := s.keys.open(kept)
	if err != nil {
		return fmt.Errorf("open the vault: %w", err)
	}
	if len(raw) != keyBytes {
		return molecule.Errorf(molecule.Internal, "open the vault: the key of fingerprints has %d bytes", len(raw))
	}
	s.keys.marks = key(raw)
	s.ready = true
	return nil
}

func (s *Service) makeMarks(ctx context.Context) (molecule.Sealed, error) {
	var marks key
	_, _ = rand.Read(marks[:]) // never fails: it would end the program
	sealed, err := s.keys.seal(marksRow, 0, marks[:])
	if err == nil {
		err = s.store.PutVaultRow(ctx, marksRow, sealed)
	}
	if err != nil {
		return molecule.Sealed{}, fmt.Errorf("make the key of fingerprints: %w", err)
	}
	return sealed, nil
}

// decodeValue returns the bytes that a value on the wire stands for.
func decodeValue(in molecule.NewSecretValue) ([]byte, error) {
	value, err := base64.StdEncoding.DecodeString(in.Value.Reveal())
	switch {
	case err != nil:
		return nil, molecule.Errorf(molecule.Invalid, "the value is not base64")
	case len(value) == 0:
		return nil, molecule.Errorf(molecule.Invalid, "the value of %s is empty", in.Name).
			WithHint("an empty value switches things off without a word; remove the secret if that is meant")
	case len(value) > molecule.MaxSecretBytes:
		return nil, molecule.Errorf(molecule.TooLarge, "the value of %s has %d bytes, the most is %d", in.Name, len(value), molecule.MaxSecretBytes)
	}
	return value, nil
}

// AddSecret stores the first version of a secret.
func (s *Service) AddSecret(ctx context.Context, in molecule.NewSecretValue) (molecule.StoredSecret, error) {
	if in.Class == "" {
		in.Class = molecule.SecretMinted
	}
	if err := in.Validate(); err != nil {
		return molecule.StoredSecret{}, err
	}
	value, err := decodeValue(in)
	if err == nil {
		err = s.open(ctx)
	}
	if err != nil {
		return molecule.StoredSecret{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return molecule.StoredSecret{}, fmt.Errorf("make an id: %w", err)
	}
	out := molecule.StoredSecret{ID: id.String(), Name: in.Name, Class: in.Class, Owner: in.Owner}
	first, err := s.sealed(ctx, out, 1, value)
	if err != nil {
		return molecule.StoredSecret{}, err
	}
	if err := s.store.CreateSecret(ctx, &out, first); err != nil {
		return molecule.StoredSecret{}, fmt.Errorf("store secret %s: %w", in.Name, err)
	}
	return out, nil
}

// sealed seals a value as a version of a secret, with its marks.
func (s *Service) sealed(ctx context.Context, of molecule.StoredSecret, version int, value []byte) (molecule.Sealed, error) {
	v, err := s.keys.seal(of.ID, version, value)
	if err != nil {
		return v, err
	}
	v.State = molecule.VersionPending
	v.Fingerprint, v.Sameness = s.keys.fingerprint(of.ID, value), s.keys.sameness(value)
	v.CreatedBy = molecule.PrincipalFrom(ctx).Name
	return v, nil
}

// SetSecret stores a further version and makes it the one in use.
func (s *Service) SetSecret(ctx context.Context, in molecule.NewSecretValue) (molecule.StoredSecret, error) {
	value, err := decodeValue(in)
	if err == nil {
		err = s.open(ctx)
	}
	if err != nil {
		return molecule.StoredSecret{}, err
	}
	return s.store.AddSecretVersion(ctx, in.Name, func(of molecule.StoredSecret, version int) (molecule.Sealed, error) {
		if of.Current > 0 && of.Fingerprint == s.keys.fingerprint(of.ID, value) {
			return molecule.Sealed{}, molecule.Errorf(molecule.Conflict, "secret %s has this value already", of.Name).
				WithHint("molecli secrets show %s", of.Name)
		}
		return s.sealed(ctx, of, version, value)
	})
}

// Secret returns one secret with its versions.
func (s *Service) Secret(ctx context.Context, ref string) (molecule.StoredSecret, error) {
	return s.store.Secret(ctx, ref)
}

// Secrets returns every secret, by name.
func (s *Service) Secrets(ctx context.Context) ([]molecule.StoredSecret, error) {
	return s.store.Secrets(ctx)
}

// RemoveSecret removes a secret and destroys its versions.
func (s *Service) RemoveSecret(ctx context.Context, ref string) error {
	return s.store.RemoveSecret(ctx, ref)
}

// RevealSecret opens a version. That it does, and why, is recorded first.
func (s *Service) RevealSecret(ctx context.Context, ref string, version int, reason string) (molecule.Revealed, error) {
	switch by := molecule.PrincipalFrom(ctx); {
	case !by.LocalAdmin():
		return molecule.Revealed{}, molecule.Errorf(molecule.Forbidden, "%s may not see values: only an administrator on the unix socket may", by.Name)
	case reason == "" || len(reason) > 200 || !utf8.ValidString(reason):
		return molecule.Revealed{}, molecule.Errorf(molecule.Invalid, "a value is told for a reason of 1 to 200 bytes, which is kept").
			WithHint("--reason 'debugging the 401 of the mailer'")
	}
	of, v, err := s.store.SealedVersion(ctx, ref, version)
	if err != nil {
		return molecule.Revealed{}, err
	}
	value, err := s.keys.open(v)
	if err != nil {
		return molecule.Revealed{}, fmt.Errorf("secret %s: %w", of.Name, err)
	}
	if err := s.store.NoteReveal(ctx, of.Name, v.Version, reason); err != nil {
		return molecule.Revealed{}, fmt.Errorf("record that a value is told: %w", err)
	}
	return molecule.Revealed{
		Name: of.Name, Version: v.Version, Value: molecule.Show(molecule.NewSecret(base64.StdEncoding.EncodeToString(value))),
	}, nil
}

// Value opens the version in use for a part of the daemon itself.
func (s *Service) Value(ctx context.Context, name string) ([]byte, int, error) {
	_, v, err := s.store.SealedVersion(ctx, name, 0)
	if err != nil {
		return nil, 0, err
	}
	value, err := s.keys.open(v)
	return value, v.Version, err
}
