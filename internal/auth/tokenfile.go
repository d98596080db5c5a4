package auth

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// WriteTokenFile writes a token into a new file that only its owner can read.
// Whatever has that name already, a link too, is left alone: Conflict. The file
// is there whole or not at all, also after a crash.
func WriteTokenFile(path string, token molecule.Secret) error {
	if token.IsZero() {
		return molecule.Errorf(molecule.Invalid, "there is no token to write")
	}
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".token-*") // exclusive, 0600
	if err != nil {
		return fmt.Errorf("write token file: %w", err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // what is left is readable by its owner only
	_, err = tmp.WriteString(token.Reveal() + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("write token file: %w", err)
	}
	// A link, unlike a rename, takes the place of nothing.
	if err := os.Link(tmp.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return molecule.Errorf(molecule.Conflict, "%s exists", path).
				WithHint("it may hold a token in use; move it away first")
		}
		return fmt.Errorf("write token file: %w", err)
	}
	return syncDir(dir)
}

// syncDir makes a new name in dir survive a crash.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}
