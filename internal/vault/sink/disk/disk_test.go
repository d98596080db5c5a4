package disk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const limit = 1 << 20

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// holds checks the one file of a directory.
func holds(t testing.TB, path, want string) {
	t.Helper()
	if held, err := os.ReadFile(path); err != nil || string(held) != want {
		t.Errorf("got %q, %v, want %q", held, err, want)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("got %d files, %v, want one", len(entries), err)
	}
}

func TestUpdate_leavesWhatChangedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		before    string // "" for no file
		meanwhile func(t *testing.T, path string)
		after     string
		content   []byte
	}{
		"it was written to": {
			before: "old", after: "foreign", content: []byte("new"),
			meanwhile: func(t *testing.T, path string) { write(t, path, "foreign") },
		},
		"another took its name": {
			before: "old", after: "old", content: []byte("new"),
			meanwhile: func(t *testing.T, path string) {
				write(t, path+"2", "old")
				if err := os.Rename(path+"2", path); err != nil {
					t.Fatal(err)
				}
			},
		},
		"it was made": {
			after: "foreign", content: []byte("new"),
			meanwhile: func(t *testing.T, path string) { write(t, path, "foreign") },
		},
		"it was to be removed": {
			before: "old", after: "foreign",
			meanwhile: func(t *testing.T, path string) { write(t, path, "foreign") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "f")
			if tt.before != "" {
				write(t, path, tt.before)
			}
			err := Update(t.Context(), path, limit, Options{}, func(File) ([]byte, error) {
				tt.meanwhile(t, path)
				return tt.content, nil
			})
			if !errors.Is(err, ErrChanged) || molecule.CodeOf(err) != molecule.Conflict {
				t.Errorf("got %v, want a Conflict that says it changed", err)
			}
			holds(t, path, tt.after)
		})
	}
}

func TestUpdate_twoAtOnceBothCount(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "count")
	write(t, path, "0")
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 10 {
				err := Update(t.Context(), path, limit, Options{}, func(f File) ([]byte, error) {
					n, err := strconv.Atoi(string(f.Data))
					return strconv.AppendInt(nil, int64(n)+1, 10), err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	holds(t, path, "40")
}

func TestUpdate_endsWithItsContextWhileAnotherHasTheLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "old")
	ctx, cancel := context.WithCancel(t.Context())
	err := Update(t.Context(), path, limit, Options{}, func(File) ([]byte, error) {
		cancel()
		return nil, Update(ctx, path, limit, Options{}, func(File) ([]byte, error) {
			t.Error("two had the lock")
			return nil, nil
		})
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of the context", err)
	}
	holds(t, path, "old")
}

func TestUpdate_keepsExtendedAttributes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "old")
	want := "label"
	if err := syscall.Setxattr(path, "user.note", []byte(want), 0); errors.Is(err, syscall.ENOTSUP) {
		want = "" // a file system without any: then there is nothing to keep
	} else if err != nil {
		t.Fatal(err)
	}
	if err := Update(t.Context(), path, limit, Options{}, func(File) ([]byte, error) { return []byte("new"), nil }); err != nil {
		t.Fatal(err)
	}
	held := make([]byte, 64)
	n, err := syscall.Getxattr(path, "user.note", held)
	if got := string(held[:max(n, 0)]); got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	holds(t, path, "new")
}

func TestRead_saysWhatIsWrongBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "large"), "12345678901")
	for _, tt := range []struct {
		name, path string
		code       molecule.Code
	}{
		{"it is larger than what is read", filepath.Join(dir, "large"), molecule.Forbidden},
		{"its directory is not there", filepath.Join(dir, "none", "f"), molecule.NotFound},
		{"its directory is a file", filepath.Join(dir, "large", "f"), molecule.NotFound},
		{"its path is relative", "f", molecule.Invalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := Read(tt.path, 10)
			if err == nil {
				err = f.Replaceable()
			}
			if molecule.CodeOf(err) != tt.code || molecule.HintOf(err) == "" {
				t.Errorf("got %v with the hint %q, want %s with one", err, molecule.HintOf(err), tt.code)
			}
		})
	}
}
