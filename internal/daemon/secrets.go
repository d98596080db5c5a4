package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/vault"
)

// masterKeyName is the master key's name, as a credential of the service manager
// and as a file in the data directory.
const masterKeyName = "master.key"

// SecretsConfig says where the master keys are.
type SecretsConfig struct {
	MasterKey   string `yaml:"master_key"`
	PreviousKey string `yaml:"previous_key"`
}

// check refuses what names no place where a master key could be.
func (c SecretsConfig) check(refuse refuser) {
	for _, s := range []struct{ path, source string }{{"secrets.master_key", c.MasterKey}, {"secrets.previous_key", c.PreviousKey}} {
		if s.source == "" {
			continue
		}
		if err := vault.CheckSource(s.source); err != nil {
			refuse(s.path, molecule.Errorf(molecule.Invalid, "%s: %s", s.path, err).WithHint("%s", molecule.HintOf(err)))
		}
	}
}

// sources returns where the master keys are: as it is set, else what the service
// manager hands over, else the file in the data directory.
func (c SecretsConfig) sources(dir string) vault.Sources {
	s := vault.Sources{Current: c.MasterKey, Previous: c.PreviousKey}
	switch {
	case s.Current != "":
	case vault.Handed(masterKeyName):
		s.Current = "credential:" + masterKeyName
	default:
		s.Current = "file:" + filepath.Join(dir, masterKeyName)
	}
	return s
}

// unlock reads the master keys and opens the vault with them. It makes the first
// key, and only while nothing is sealed: afterwards a missing key is an error, for
// another one would open nothing.
func unlock(ctx context.Context, store *sqlite.DB, c SecretsConfig, dir string, log *slog.Logger) (*vault.Service, error) {
	from := c.sources(dir)
	sealed, err := store.AnySealed(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for what is sealed: %w", err)
	}
	if !sealed {
		made, err := from.Make()
		if err != nil {
			return nil, err
		}
		if made != "" {
			log.Info("made the master key", "file", made)
		}
	}
	if from.Derived() {
		if from.Salt, err = salt(ctx, store); err != nil {
			return nil, err
		}
	}
	keys, err := vault.Load(ctx, from)
	if err != nil {
		return nil, err
	}
	s := vault.NewService(store, keys)
	return s, s.Check(ctx)
}

// saltRow is where the salt of passphrases is kept. It is no secret.
const saltRow = "salt"

// salt returns the salt of passphrases, and makes it the first time.
func salt(ctx context.Context, store *sqlite.DB) ([]byte, error) {
	kept, found, err := store.VaultRow(ctx, saltRow)
	if err != nil || found {
		return kept.Body, err
	}
	kept.Body = make([]byte, 16)
	_, _ = rand.Read(kept.Body) // never fails: it would end the program
	err = withWriter(ctx, store, func(ctx context.Context) error { return store.PutVaultRow(ctx, saltRow, kept) })
	return kept.Body, err
}

// installedKey is where the unit of the system's service finds the master key.
const installedKey = "/etc/moleculed/" + masterKeyName

// makeInstalledKey makes the master key that the unit hands over, once, and returns
// its path when it did.
func makeInstalledKey(path string) (made string, err error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", molecule.Errorf(molecule.Forbidden, "cannot make %s: %v", filepath.Dir(path), err).WithHint("try it as root, or with --user")
	}
	return path, vault.MakeKeyFile(path)
}
