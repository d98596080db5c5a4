package rotation

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
	"github.com/molecule-ai/molecli/internal/vault"
	"github.com/molecule-ai/molecli/internal/vault/sink"
	"github.com/molecule-ai/molecli/internal/vault/sink/kinds"
)

// rig is a real store and a real vault, and an engine over them.
type rig struct {
	testing.TB
	ctx     context.Context
	dir     string
	db      *sqlite.DB
	vault   *vault.Service
	options Options
	engine  *Engine
	service *Service
}

// newRig makes a rig whose places are opened by open; nil: real ones.
func newRig(t testing.TB, open sink.Open) *rig {
	t.Helper()
	r := &rig{TB: t, dir: t.TempDir()}
	r.ctx = molecule.WithPrincipal(t.Context(), molecule.Principal{Name: "uid:1000", Source: "socket"})
	r.db = sqlitetest.OpenDir(t, filepath.Join(r.dir, "data"))
	key := filepath.Join(r.dir, "master.key")
	if err := vault.MakeKeyFile(key); err != nil {
		t.Fatal(err)
	}
	keys, err := vault.Load(t.Context(), vault.Sources{Current: "file:" + key})
	if err != nil {
		t.Fatal(err)
	}
	r.vault = vault.NewService(r.db, keys)
	if open == nil {
		open = kinds.Open
	}
	r.options = Options{Store: r.db, Vault: r.vault, Open: open, Log: slog.New(slog.DiscardHandler), Pauses: []time.Duration{0, 0}}
	r.restart()
	return r
}

// restart is what a new life of the daemon has: the store, and nothing else.
func (r *rig) restart() {
	r.engine = New(r.options)
	r.service = NewService(r.engine, func() {})
}

// apply applies a map of secrets.
func (r *rig) apply(secrets ...molecule.MappedSecret) {
	r.Helper()
	if err := r.db.PutSecretMap(r.ctx, molecule.SecretMap{Secrets: secrets}); err != nil {
		r.Fatal(err)
	}
}

// store stores a value that is in use.
func (r *rig) store(name, value string) {
	r.Helper()
	in := molecule.NewSecretValue{Name: name, Value: shown(value)}
	if _, err := r.vault.AddSecret(r.ctx, in); err != nil {
		r.Fatal(err)
	}
}

func shown(value string) molecule.Shown {
	return molecule.Show(molecule.NewSecret(base64.StdEncoding.EncodeToString([]byte(value))))
}

// rotate begins a rotation and drives it as far as it goes.
func (r *rig) rotate(in molecule.NewRotation) molecule.Rotation {
	r.Helper()
	begun, err := r.service.Begin(r.ctx, in)
	if err != nil {
		r.Fatal(err)
	}
	return r.drive(begun.ID)
}

func (r *rig) drive(id string) molecule.Rotation {
	r.Helper()
	if err := r.engine.Drive(r.ctx, id); err != nil {
		r.Fatal(err)
	}
	return r.rotation(id)
}

func (r *rig) rotation(id string) molecule.Rotation {
	r.Helper()
	out, err := r.service.Rotation(r.ctx, id)
	if err != nil {
		r.Fatal(err)
	}
	return out
}

// inUse is the value in use.
func (r *rig) inUse(name string) string {
	r.Helper()
	_, value, err := r.vault.InUse(r.ctx, name)
	if err != nil {
		r.Fatal(err)
	}
	return value.Reveal()
}

// wantState checks where a rotation came to.
func (r *rig) wantState(got molecule.Rotation, want molecule.RotationState) {
	r.Helper()
	if got.State != want {
		r.Fatalf("rotation is %s, want %s; fault %+v", got.State, want, got.Fault)
	}
}

// files returns n files that hold a value, and their sinks.
func (r *rig) files(value string, n int) (paths []string, sinks []molecule.SinkSpec) {
	r.Helper()
	for i := range n {
		path := filepath.Join(r.dir, fmt.Sprintf("copy%d", i+1))
		if value != "" {
			r.write(path, value)
		}
		paths = append(paths, path)
		sinks = append(sinks, molecule.SinkSpec{Kind: "file", Target: map[string]string{"path": path}})
	}
	return paths, sinks
}

func (r *rig) write(path, value string) {
	r.Helper()
	if err := os.WriteFile(path, []byte(value), 0o600); err != nil {
		r.Fatal(err)
	}
}

// wantHeld checks what files hold; "" is a file that is not there.
func (r *rig) wantHeld(paths []string, want ...string) {
	r.Helper()
	for i, path := range paths {
		got, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			r.Fatal(err)
		}
		if string(got) != want[min(i, len(want)-1)] {
			r.Errorf("%s holds %q, want %q", filepath.Base(path), got, want[min(i, len(want)-1)])
		}
	}
}
