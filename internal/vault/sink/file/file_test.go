package file

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
	"github.com/molecule-ai/molecli/internal/vault/sink/sinktest"
)

func spec(path string) sink.Spec {
	return sink.Spec{Secret: "TOKEN", SinkSpec: molecule.SinkSpec{Kind: "file", Target: map[string]string{"path": path}}}
}

func open(t testing.TB, s sink.Spec) sink.Sink {
	t.Helper()
	k, err := Open(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestFile_passesTheSuite(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(t testing.TB) sinktest.Rig {
		path := filepath.Join(t.TempDir(), "sub", "token")
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		return sinktest.Rig{
			Sink: open(t, spec(path)),
			Accepts: func(value molecule.Secret) bool {
				held, err := os.ReadFile(path)
				if value.IsZero() {
					return os.IsNotExist(err)
				}
				return err == nil && string(held) == value.Reveal()
			},
			Tamper: func(value string) { write(t, path, value, 0o600) },
			Cut: func() {
				if err := os.Rename(filepath.Dir(path), filepath.Dir(path)+"-away"); err != nil {
					t.Fatal(err)
				}
			},
			Holds: []string{"with newline\n", "\n\n", "\x00\xff\xfe", "a'b\"c\\d $e `f` #g", strings.Repeat("x", sink.MaxBytes)},
		}
	})
}

func write(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func apply(t testing.TB, k sink.Sink, from, to string) (sink.State, error) {
	t.Helper()
	return k.Apply(t.Context(), sink.Change{Old: molecule.NewSecret(from), New: molecule.NewSecret(to)})
}

// look is what a person sees of a file with ls.
func look(t testing.TB, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		return "not there"
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatal("no stat")
	}
	return fmt.Sprintf("%s %d:%d", info.Mode(), stat.Uid, stat.Gid)
}

func TestFile_keepsItsModeAndOwner(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	write(t, path, "old", 0o600)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(path, 65534, 12); err != nil {
			t.Fatal(err)
		}
	}
	before := look(t, path)
	if _, err := apply(t, open(t, spec(path)), "old", "new"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(look(t, path), before); diff != "" {
		t.Errorf("the file is another's now (-got +want):\n%s", diff)
	}
}

func TestFile_isMadeForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	group := spec(filepath.Join(dir, "b"))
	group.Target["mode"] = "0640"
	for _, tt := range []struct {
		spec sink.Spec
		want string
	}{
		{spec(filepath.Join(dir, "a")), "-rw-------"},
		{group, "-rw-r-----"},
	} {
		if _, err := apply(t, open(t, tt.spec), "", "new"); err != nil {
			t.Fatal(err)
		}
		if got, _, _ := strings.Cut(look(t, tt.spec.Target["path"]), " "); got != tt.want {
			t.Errorf("got mode %s, want %s", got, tt.want)
		}
	}
}

func TestFile_isNotWrittenThroughASecondName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	real, symbolic, hard := filepath.Join(dir, "real"), filepath.Join(dir, "symbolic"), filepath.Join(dir, "hard")
	write(t, real, "old", 0o600)
	if err := os.Symlink(real, symbolic); err != nil {
		t.Fatal(err)
	}
	refused := func(path, why string) {
		t.Helper()
		k := open(t, spec(path))
		for step, ask := range map[string]func() (sink.State, error){
			"probe": func() (sink.State, error) {
				return k.Probe(t.Context(), sink.Change{Old: molecule.NewSecret("old")})
			},
			"apply": func() (sink.State, error) { return apply(t, k, "old", "new") },
		} {
			if _, err := ask(); sink.TroubleOf(err) != sink.Refused || !strings.Contains(err.Error(), why) {
				t.Errorf("%s of %s: got %v, want one that says it %s", step, filepath.Base(path), err, why)
			}
		}
	}
	refused(symbolic, "is a symbolic link")
	if err := os.Link(real, hard); err != nil {
		t.Fatal(err)
	}
	refused(real, "has other names")
	refused(dir, "is no regular file")
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(fifo, "is no regular file")
	if held, err := os.ReadFile(real); err != nil || string(held) != "old" {
		t.Errorf("got %q, %v, want the old value", held, err)
	}
}

func TestFile_crashBehindAnyStepLeavesNothingInTheWay(t *testing.T) {
	t.Parallel()
	for name, crash := range map[string]func(t *testing.T, path, temp string){
		"the new content is half written": func(t *testing.T, path, temp string) {
			write(t, path, "old", 0o600)
			write(t, temp, "ne", 0o600)
		},
		"the new file has both names": func(t *testing.T, path, temp string) {
			write(t, temp, "old", 0o600)
			if err := os.Link(temp, path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "token")
			crash(t, path, filepath.Join(filepath.Dir(path), ".token.mol-new"))
			if _, err := apply(t, open(t, spec(path)), "old", "new"); err != nil {
				t.Fatal(err)
			}
			entries, err := os.ReadDir(filepath.Dir(path))
			if err != nil || len(entries) != 1 {
				t.Errorf("got %d files, %v, want the one", len(entries), err)
			}
			if held, err := os.ReadFile(path); err != nil || string(held) != "new" {
				t.Errorf("got %q, %v, want the new value", held, err)
			}
		})
	}
}

func TestFile_readersSeeOneValueOrTheOther(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	values := []string{strings.Repeat("a", 9000), strings.Repeat("b", 5000)}
	write(t, path, values[0], 0o600)
	var readers sync.WaitGroup
	stop := make(chan struct{})
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if held, err := os.ReadFile(path); err != nil || string(held) != values[0] && string(held) != values[1] {
				t.Errorf("a reader got %d bytes, %v", len(held), err)
				return
			}
		}
	})
	k := open(t, spec(path))
	for i := range 40 {
		if _, err := apply(t, k, values[i%2], values[(i+1)%2]); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	readers.Wait()
}

func TestFile_targetThatCannotBeIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, key, value string }{
		{"a relative path", "path", "etc/token"},
		{"a directory", "path", "/etc/"},
		{"no path at all", "path", ""},
		{"a mode that is none", "mode", "0888"},
		{"a mode for everybody", "mode", "0644"},
		{"an owner nobody knows", "owner", "no-such-user"},
		{"a group nobody knows", "owner", "root:no-such-group"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := spec("/etc/token")
			s.Target[tt.key] = tt.value
			if _, err := Open(s); molecule.CodeOf(err) != molecule.Invalid || molecule.HintOf(err) == "" {
				t.Errorf("got %v with the hint %q, want Invalid with one", err, molecule.HintOf(err))
			}
		})
	}
}

func TestFile_everybodyCanReadIsAWarning(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	write(t, path, "old", 0o600)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	state, err := apply(t, open(t, spec(path)), "old", "new")
	if err != nil || !strings.Contains(state.Warning, "every user") {
		t.Errorf("got the warning %q, %v", state.Warning, err)
	}
}
