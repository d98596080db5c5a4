package sqlitetest

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/molecule-ai/molecli/internal/sqlite"
)

// fileName is how the store calls its file.
const fileName = "moleculed.db"

// empty returns the file of a store in which nothing is. It is made once:
// migrations are most of what opening a new store costs.
var empty = sync.OnceValues(func() (_ []byte, result error) {
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		return nil, err
	}
	defer func() { result = errors.Join(result, os.RemoveAll(dir)) }()
	db, err := sqlite.Open(context.Background(), dir, sqlite.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, fileName))
})

// Seed lays an empty store into dir, which it makes, unless there is one.
func Seed(t testing.TB, dir string) {
	t.Helper()
	path := filepath.Join(dir, fileName)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	file, err := empty()
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(path, file, 0o600)
	}
	if err != nil {
		t.Fatalf("lay a store into %s: %v", dir, err)
	}
}
