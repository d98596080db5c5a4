package vault

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Keyring holds the master keys: the one that wraps what is new, and the one
// before it while something is still wrapped by it.
type Keyring struct {
	current  key
	previous *key
	marks    key // of fingerprints; set when the store was read
}

// named returns the master key of an id.
func (r *Keyring) named(id string) (key, bool) {
	switch {
	case r.current.id() == id:
		return r.current, true
	case r.previous != nil && r.previous.id() == id:
		return *r.previous, true
	}
	return key{}, false
}

// KeyID returns the id of the master key that wraps what is new.
func (r *Keyring) KeyID() string { return r.current.id() }

// Sources say where master keys come from. Each is one of
//
//	file:PATH          a file that only we may read
//	credential:NAME    a credential of the service manager
//	passphrase:PATH    a file with a passphrase, from which the key is derived
//	exec:COMMAND       a program that prints it, with its arguments
type Sources struct {
	Current  string
	Previous string // empty: none
	Salt     []byte // of passphrases
}

// Load reads the master keys. A key that cannot be parsed is an error: there is
// no mode without one.
func Load(ctx context.Context, s Sources) (*Keyring, error) {
	current, err := s.read(ctx, s.Current)
	if err != nil {
		return nil, molecule.Errorf(molecule.CodeOf(err), "secrets.master_key: %s", err).WithHint("%s", molecule.HintOf(err))
	}
	r := &Keyring{current: current}
	if s.Previous != "" {
		previous, err := s.read(ctx, s.Previous)
		if err != nil {
			return nil, molecule.Errorf(molecule.CodeOf(err), "secrets.previous_key: %s", err).WithHint("%s", molecule.HintOf(err))
		}
		r.previous = &previous
	}
	return r, nil
}

// CheckSource refuses what is no source of a key. It never repeats what could be
// a key itself.
func CheckSource(source string) error {
	kind, rest, found := strings.Cut(source, ":")
	switch {
	case strings.HasPrefix(source, keyPrefix):
		return molecule.Errorf(molecule.Invalid, "this is a key: a setting holds only where it is").
			WithHint("put it into a file of mode 0600 and write file:PATH; make another key, this one was seen")
	case !found || !slices.Contains([]string{"file", "credential", "passphrase", "exec"}, kind) || strings.TrimSpace(rest) == "":
		return molecule.Errorf(molecule.Invalid, "this is no source of a key").
			WithHint("write file:PATH, credential:NAME, passphrase:PATH or exec:COMMAND")
	}
	return nil
}

// Derived reports whether a key comes from a passphrase, which needs the salt.
func (s Sources) Derived() bool {
	return strings.HasPrefix(s.Current, "passphrase:") || strings.HasPrefix(s.Previous, "passphrase:")
}

// Make makes the current key where its file is not there, and returns the path
// of what it made. It is for who knows that nothing is sealed yet.
func (s Sources) Make() (made string, err error) {
	path, ok := strings.CutPrefix(s.Current, "file:")
	if !ok {
		return "", nil
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return "", nil // Load says what is wrong with it
	}
	return path, MakeKeyFile(path)
}

func (s Sources) read(ctx context.Context, source string) (key, error) {
	if err := CheckSource(source); err != nil {
		return key{}, err
	}
	kind, rest, _ := strings.Cut(source, ":")
	switch kind {
	case "file":
		text, err := readPrivate(rest)
		if err != nil {
			return key{}, err
		}
		return parseKey(string(text))
	case "credential":
		return readCredential(rest)
	case "passphrase":
		text, err := readPrivate(rest)
		if err != nil {
			return key{}, err
		}
		return derive(bytes.TrimSuffix(text, []byte("\n")), s.Salt)
	default:
		return readFrom(ctx, rest)
	}
}

// derive makes a key of a passphrase, slowly: argon2id, three passes over
// 64 MiB (RFC 9106, second recommended option).
func derive(passphrase, salt []byte) (key, error) {
	if len(passphrase) < 12 {
		return key{}, molecule.Errorf(molecule.Invalid, "the passphrase has %d bytes, it must have 12", len(passphrase)).
			WithHint("four or more random words are easy to keep and hard to guess")
	}
	if len(salt) < 16 {
		return key{}, molecule.Errorf(molecule.Internal, "there is no salt for the passphrase")
	}
	return key(argon2.IDKey(passphrase, salt, 3, 64<<10, 4, keyBytes)), nil
}

// execLimit bounds a program that prints a key.
const execLimit = 30 * time.Second

// readFrom runs a program that prints a key. Nothing of what it says on standard
// error is kept: a key may be among it.
func readFrom(ctx context.Context, command string) (key, error) {
	words := strings.Fields(command)
	if len(words) == 0 {
		return key{}, molecule.Errorf(molecule.Invalid, "no program is named")
	}
	ctx, cancel := context.WithTimeout(ctx, execLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	out, err := cmd.Output()
	if err != nil {
		return key{}, molecule.Errorf(molecule.Unavailable, "%s printed no key: %v", words[0], err).WithHint("run it by hand as the daemon's user")
	}
	if len(out) > maxKeyFile {
		return key{}, badKey("it is too long")
	}
	return parseKey(string(out))
}
