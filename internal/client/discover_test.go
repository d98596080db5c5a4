package client

import (
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestSockets_areLookedForInOrder(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		env  map[string]string
		want []string
	}{
		{"all set", map[string]string{"XDG_RUNTIME_DIR": "/run/user/7", "HOME": "/home/u"},
			[]string{"/run/user/7/moleculed/moleculed.sock", "/run/moleculed/moleculed.sock", "/home/u/.molecule/moleculed.sock"}},
		{"nothing set", nil,
			[]string{"$XDG_RUNTIME_DIR/moleculed/moleculed.sock", "/run/moleculed/moleculed.sock", "$HOME/.molecule/moleculed.sock"}},
		{"a relative one counts as not set", map[string]string{"XDG_RUNTIME_DIR": "run", "HOME": "/h"},
			[]string{"$XDG_RUNTIME_DIR/moleculed/moleculed.sock", "/run/moleculed/moleculed.sock", "/h/.molecule/moleculed.sock"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := Sockets(func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok })
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
}

// deadSocket returns the path of a socket file that nobody listens on.
func deadSocket(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "dead.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		tb.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}

func TestDiscover_takesTheFirstSocketThatAccepts(t *testing.T) {
	t.Parallel()
	busy := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	first, second := serveSocket(t, busy), serveSocket(t, busy)
	missing := filepath.Join(t.TempDir(), "none.sock")
	got, err := Discover(t.Context(), []string{"$XDG_RUNTIME_DIR/x", missing, deadSocket(t), first, second})
	if err != nil || got != "unix://"+first {
		t.Errorf("got %q, %v, want the first that accepts: %s", got, err, first)
	}
}

func TestDiscover_namesEveryPlaceAndTheCure(t *testing.T) {
	t.Parallel()
	places := []string{"$XDG_RUNTIME_DIR/x.sock", deadSocket(t), filepath.Join(t.TempDir(), "none.sock")}
	_, err := Discover(t.Context(), places)
	if _, ok := errors.AsType[*Unreachable](err); !ok {
		t.Fatalf("got %v, want unreachable", err)
	}
	for _, place := range places {
		if !strings.Contains(err.Error(), place) {
			t.Errorf("%q does not name %s", err, place)
		}
	}
	if hint := molecule.HintOf(err); !strings.Contains(hint, "moleculed serve") {
		t.Errorf("hint %q names no cure", hint)
	}
}

func TestReadToken_takesOnlyAFileOfOnesOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good", "mol_op_12345678_secret\n", 0o600)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(good, link); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, path, want, refusal string
	}{
		{"good", good, "mol_op_12345678_secret", ""},
		{"read only", write("ro", "mol_x", 0o400), "mol_x", ""},
		{"others may read it", write("open", "mol_x", 0o640), "", "mode 0640"},
		{"symbolic link", link, "", "symbolic link"},
		{"directory", dir, "", "not a regular file"},
		{"missing", filepath.Join(dir, "none"), "", "does not exist"},
		{"empty", write("empty", " \n", 0o600), "", "holds no token"},
		{"two lines", write("lines", "mol_a\nmol_b\n", 0o600), "", "holds no token"},
		{"a large file", write("large", strings.Repeat("x", 5000), 0o600), "", "holds no token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ReadToken(tt.path)
			switch {
			case tt.refusal == "" && err != nil:
				t.Fatal(err)
			case tt.refusal != "" && (molecule.CodeOf(err) != molecule.Invalid || !strings.Contains(err.Error(), tt.refusal)):
				t.Errorf("got %v, want it refused: %s", err, tt.refusal)
			case got.Reveal() != tt.want:
				t.Errorf("got %q, want %q", got.Reveal(), tt.want)
			}
		})
	}
}
