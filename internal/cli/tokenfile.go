package cli

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// tokenFile is a new file that a token will be written to. It is made before the
// token is: a token that cannot be kept would be lost.
type tokenFile struct {
	path string
	tmp  *os.File
}

// newTokenFile makes sure that a token can be kept at path, where nothing may
// be. It is nil for no path.
func newTokenFile(path string) (*tokenFile, error) {
	if path == "" {
		return nil, nil
	}
	if _, err := os.Lstat(path); err == nil {
		return nil, molecule.Errorf(molecule.Conflict, "%s exists", path).WithHint("it may hold a token in use: choose another name, or move it away")
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".token-*") // mode 0600
	if err != nil {
		return nil, molecule.Errorf(molecule.Invalid, "%s cannot be written", path).WithCause(err)
	}
	return &tokenFile{path: path, tmp: tmp}, nil
}

// write puts the token in its place.
func (f *tokenFile) write(token molecule.Secret) error {
	_, err := f.tmp.WriteString(token.Reveal() + "\n")
	if err = errors.Join(err, f.tmp.Sync()); err == nil {
		err = os.Link(f.tmp.Name(), f.path) // takes the place of nothing
	}
	if err != nil {
		return molecule.Errorf(molecule.Invalid, "the token is made and %s cannot be written: revoke it, and make another", f.path).WithCause(err)
	}
	return nil
}

// keep puts a token that was just made into the file, if there is one, and says
// so: then it is shown nowhere else.
func (f *tokenFile) keep(s *session, token *molecule.Shown) error {
	if f == nil || token.IsZero() {
		return nil
	}
	if err := f.write(token.Secret); err != nil {
		return err
	}
	*token = molecule.Shown{}
	s.note("its token is in %s", f.path)
	return nil
}

// discard removes what is left of the making.
func (f *tokenFile) discard() {
	if f == nil {
		return
	}
	_ = f.tmp.Close()           // what mattered was synced
	_ = os.Remove(f.tmp.Name()) // readable by its owner only
}

// handOver gives a token that was just made to the caller, and what is known of
// it: in a structured face both, or its id, or the token alone, unless it is kept
// in the file.
func (f *tokenFile) handOver(s *session, token *molecule.Shown, id string, whole any) error {
	if err := f.keep(s, token); err != nil {
		return err
	}
	switch {
	case s.structured():
		return s.encode(whole)
	case s.config.Output == outName:
		return s.line("%s", id)
	}
	return s.showOnce(*token)
}

// showOnce prints a token that was just made, unless it is kept in a file.
func (s *session) showOnce(token molecule.Shown) error {
	if token.IsZero() {
		return nil
	}
	s.note("this is the only time its token is shown:")
	return s.line("%s", token.Reveal())
}
