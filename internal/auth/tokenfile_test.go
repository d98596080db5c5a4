package auth

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestWriteTokenFile_writesOneLineForItsOwnerOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "admin.token")
	_, shown := mint(t)
	if err := WriteTokenFile(path, molecule.NewSecret(shown)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("mode = %v, want a plain file of 0600", info.Mode())
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), shown+"\n"); diff != "" {
		t.Errorf("the file (-got +want)\n%s", diff)
	}
	if diff := cmp.Diff(names(t, dir), []string{"admin.token"}); diff != "" {
		t.Errorf("left in the directory (-got +want)\n%s", diff)
	}
}

func TestWriteTokenFile_replacesNothing(t *testing.T) {
	t.Parallel()
	for name, occupy := range map[string]func(path string) error{
		"file":          func(path string) error { return os.WriteFile(path, []byte("mine"), 0o600) },
		"dangling link": func(path string) error { return os.Symlink(path+".elsewhere", path) },
		"directory":     func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "admin.token")
			if err := occupy(path); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := WriteTokenFile(path, molecule.NewSecret("mol_secret")); molecule.CodeOf(err) != molecule.Conflict {
				t.Errorf("WriteTokenFile = %v, want Conflict", err)
			}
			after, err := os.Lstat(path)
			if err != nil || !os.SameFile(before, after) || before.Size() != after.Size() {
				t.Errorf("what was there has changed: %v, was %v (%v)", after, before, err)
			}
			if diff := cmp.Diff(names(t, dir), []string{"admin.token"}); diff != "" {
				t.Errorf("left in the directory (-got +want)\n%s", diff)
			}
		})
	}
}

func TestWriteTokenFile_refusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := WriteTokenFile(filepath.Join(dir, "a"), molecule.Secret{}); molecule.CodeOf(err) != molecule.Invalid {
		t.Errorf("without a token: %v, want Invalid", err)
	}
	if err := WriteTokenFile(filepath.Join(dir, "none", "a"), molecule.NewSecret("mol_secret")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a directory: %v, want not exist", err)
	}
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("left in the directory: %v", got)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}
