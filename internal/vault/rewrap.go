package vault

import (
	"context"
	"fmt"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// rewrapSlice is how many versions are wrapped anew in one transaction: other
// writers wait no longer than that, and readers not at all.
const rewrapSlice = 500

// RewrapSecrets wraps every data key that another master key wraps with the
// newest one. It may be stopped anywhere and begun again.
//
// What cannot be opened is counted and left as it is. The key of fingerprints
// comes last, and only when nothing was left: while it is wrapped by the key
// before, the daemon does not start without that key.
func (s *Service) RewrapSecrets(ctx context.Context) (molecule.Rewrapped, error) {
	out := molecule.Rewrapped{KeyID: s.keys.KeyID()}
	if err := s.open(ctx); err != nil {
		return out, err
	}
	var behind molecule.Sealed
	for ctx.Err() == nil {
		before, err := s.store.WrappedOtherwise(ctx, out.KeyID, behind, rewrapSlice)
		if err != nil {
			return out, fmt.Errorf("read what is to be wrapped anew: %w", err)
		}
		if len(before) == 0 {
			break
		}
		behind = before[len(before)-1]
		if err := s.rewrapSlice(ctx, before, &out); err != nil {
			return out, err
		}
	}
	if err := ctx.Err(); err != nil || out.Left > 0 {
		return out, err
	}
	return out, s.rewrapMarks(ctx)
}

// rewrapSlice wraps some versions anew, in one transaction.
func (s *Service) rewrapSlice(ctx context.Context, found []molecule.Sealed, out *molecule.Rewrapped) error {
	before, after := make([]molecule.Sealed, 0, len(found)), make([]molecule.Sealed, 0, len(found))
	for _, v := range found {
		wrapped, err := s.keys.rewrap(v)
		if err != nil {
			out.Left++
			continue
		}
		before, after = append(before, v), append(after, wrapped)
	}
	if len(after) == 0 {
		return nil
	}
	done, err := s.store.Rewrap(ctx, before, after)
	if err != nil {
		return fmt.Errorf("store what was wrapped anew: %w", err)
	}
	out.Versions += done
	return nil
}

func (s *Service) rewrapMarks(ctx context.Context) error {
	kept, _, err := s.store.VaultRow(ctx, marksRow)
	if err != nil || kept.KeyID == s.keys.KeyID() {
		return err
	}
	kept.SecretID = marksRow
	wrapped, err := s.keys.rewrap(kept)
	if err != nil {
		return err
	}
	return s.store.FinishRewrap(ctx, marksRow, kept, wrapped)
}
