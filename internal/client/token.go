package client

import (
	"errors"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// MaxTokenBytes is far above any token, and far below any file given by
// mistake.
const MaxTokenBytes = 4096

// ReadToken reads the token in the file at path. The file must be a regular
// one that only its owner may read; a symbolic link is refused, because whoever
// owns the link chooses what is sent.
func ReadToken(path string) (molecule.Secret, error) {
	if strings.HasPrefix(path, "mol_") && !strings.ContainsRune(path, '/') && len(path) > 60 {
		return molecule.Secret{}, molecule.Errorf(molecule.Invalid, "a token file is wanted, and this is a token").
			WithHint("it may be in the history of your shell now: revoke it, and keep the next one in a file")
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, syscall.ELOOP):
		return molecule.Secret{}, molecule.Errorf(molecule.Invalid, "token file %s is a symbolic link", path).
			WithHint("name the file itself")
	case errors.Is(err, os.ErrNotExist):
		return molecule.Secret{}, molecule.Errorf(molecule.Invalid, "token file %s does not exist", path).
			WithHint("moleculed init writes one to admin.token in its data directory")
	case err != nil:
		return molecule.Secret{}, molecule.Errorf(molecule.Invalid, "token file %s cannot be read", path).WithCause(cause(err))
	}
	defer func() { _ = f.Close() }() // it was only read
	if err := private(f); err != nil {
		return molecule.Secret{}, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, MaxTokenBytes+1))
	if err != nil {
		return molecule.Secret{}, molecule.Errorf(molecule.Invalid, "token file %s cannot be read", path).WithCause(cause(err))
	}
	return ParseToken("token file "+path, raw)
}

// ParseToken returns the token that raw, which came from where, holds in its one
// line.
func ParseToken(where string, raw []byte) (molecule.Secret, error) {
	token := strings.TrimSpace(string(raw))
	if token == "" || len(raw) > MaxTokenBytes || strings.ContainsFunc(token, notInToken) {
		return molecule.Secret{}, molecule.Errorf(molecule.Invalid, "%s holds no token", where).
			WithHint("it must be one line that begins with mol_")
	}
	return molecule.NewSecret(token), nil
}

// private refuses an open file that others can read.
func private(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return molecule.Errorf(molecule.Invalid, "token file %s cannot be read", f.Name()).WithCause(cause(err))
	}
	if !info.Mode().IsRegular() {
		return molecule.Errorf(molecule.Invalid, "token file %s is not a regular file", f.Name())
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return molecule.Errorf(molecule.Invalid, "token file %s has mode %04o, so others can read it", f.Name(), mode).
			WithHint("chmod 600 %s", f.Name())
	}
	return nil
}

// cause strips the path from a file error: the message has it already.
func cause(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

func notInToken(r rune) bool { return r <= ' ' || r > '~' }
