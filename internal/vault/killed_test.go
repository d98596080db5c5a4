package vault

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// rewrapVar names the directory whose versions this process wraps anew, with the
// keys beside the store.
const rewrapVar = "VAULT_TEST_REWRAP"

func TestMain(m *testing.M) {
	if dir := os.Getenv(rewrapVar); dir != "" {
		if err := rewrapAndTell(dir); err != nil {
			fmt.Println("ended:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// telling is a store that tells of each transaction of a rewrap when it begins.
type telling struct{ *sqlite.DB }

func (s telling) Rewrap(ctx context.Context, before, after []molecule.Sealed) (int, error) {
	fmt.Println("slice")
	return s.DB.Rewrap(ctx, before, after)
}

func (s telling) FinishRewrap(ctx context.Context, name string, before, after molecule.Sealed) error {
	fmt.Println("finish")
	return s.DB.FinishRewrap(ctx, name, before, after)
}

func rewrapAndTell(dir string) error {
	ctx := admin(context.Background())
	keys, err := Load(ctx, keysIn(dir))
	if err != nil {
		return err
	}
	db, err := sqlite.Open(ctx, dir, sqlite.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer sqlitetest.Write(db)()
	_, err = NewService(telling{db}, keys).RewrapSecrets(ctx)
	return err
}

func keysIn(dir string) Sources {
	return Sources{Current: "file:" + filepath.Join(dir, "new.key"), Previous: "file:" + filepath.Join(dir, "old.key")}
}

// TestRewrap_killedAnywhereIsBegunAgain kills one while each of its transactions is
// under way.
func TestRewrap_killedAnywhereIsBegunAgain(t *testing.T) {
	t.Parallel()
	const slices = 3
	for kill := range slices + 1 {
		t.Run(fmt.Sprintf("transaction %d", kill+1), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			sources := keysIn(dir)
			for _, name := range []string{"old.key", "new.key"} {
				if err := MakeKeyFile(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			old, err := Load(t.Context(), Sources{Current: sources.Previous})
			if err != nil {
				t.Fatal(err)
			}
			const versions = slices*rewrapSlice - 1 // and one that the service stores
			seal(t, dir, old, versions)
			killAt(t, dir, kill+1)
			checkRewrapped(t, dir, versions+1)
		})
	}
}

// seal stores versions, one of them as an operator would.
func seal(t *testing.T, dir string, old *Keyring, versions int) {
	t.Helper()
	sqlitetest.Seed(t, dir)
	db, err := sqlite.Open(t.Context(), dir, sqlite.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	stop := sqlitetest.Write(db)
	_, err = NewService(db, old).AddSecret(admin(t.Context()), value("STORED", "the value of STORED"))
	stop()
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	many(t, dir, old, versions)
}

// killAt kills a rewrap when its nth transaction begins.
func killAt(t *testing.T, dir string, n int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), rewrapVar+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	for range n {
		if !said.Scan() {
			t.Errorf("it ended before transaction %d", n)
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_, _ = io.Copy(io.Discard, out) // until it is gone
	_ = cmd.Wait()                  // killed
}

// checkRewrapped ends what was begun, and wants every version to open with the new
// key alone.
func checkRewrapped(t *testing.T, dir string, versions int) {
	t.Helper()
	ctx := admin(t.Context())
	db := sqlitetest.OpenDir(t, dir)
	keys, err := Load(ctx, keysIn(dir))
	if err != nil {
		t.Fatal(err)
	}
	rest, err := db.WrappedOtherwise(ctx, keys.KeyID(), molecule.Sealed{}, versions)
	if err != nil {
		t.Fatal(err)
	}
	if len(rest)%rewrapSlice != 0 {
		t.Errorf("%d versions are left: a transaction was cut in two", len(rest))
	}
	out, err := NewService(db, keys).RewrapSecrets(ctx)
	if err != nil || out.Left != 0 || out.Versions != len(rest) {
		t.Errorf("begun again, with %d to go: %+v, %v", len(rest), out, err)
	}
	alone, err := Load(ctx, Sources{Current: keysIn(dir).Current})
	if err != nil {
		t.Fatal(err)
	}
	s := NewService(db, alone)
	if err := s.Check(ctx); err != nil {
		t.Errorf("with the new key alone: %v", err)
	}
	if got, _, err := s.Value(ctx, "STORED"); err != nil || string(got) != "the value of STORED" {
		t.Errorf("with the new key alone: %q, %v", got, err)
	}
	opens := 0
	for n := range versions {
		_, v, err := db.SealedVersion(ctx, fmt.Sprintf("secret-%06d", n/molecule.KeptVersions), n%molecule.KeptVersions+1)
		if molecule.CodeOf(err) == molecule.NotFound {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := alone.open(v); err != nil {
			t.Fatalf("%+v: %v", v.SecretID, err)
		}
		opens++
	}
	if opens != versions-1 {
		t.Errorf("%d versions open, want %d", opens, versions-1)
	}
	audited(t, db, versions)
}

// audited wants each version told of once: what was done and what is told of it are
// one transaction.
func audited(t *testing.T, db *sqlite.DB, versions int) {
	t.Helper()
	events, err := db.Events(t.Context(), molecule.EventFilter{Types: []string{molecule.EventSecretsRewrapped}, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, e := range events.Items {
		var facts struct{ Versions int }
		if err := json.Unmarshal(e.Data, &facts); err != nil {
			t.Fatal(err)
		}
		told += facts.Versions
	}
	rows, err := db.Audit(t.Context(), molecule.AuditFilter{Action: molecule.EventSecretsRewrapped, Limit: 100})
	if err != nil || told != versions || len(rows.Items) != len(events.Items) {
		t.Errorf("%d events tell of %d versions, want %d, and there are %d rows of the audit trail, %v",
			len(events.Items), told, versions, len(rows.Items), err)
	}
}
