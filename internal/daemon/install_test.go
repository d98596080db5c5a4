package daemon

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// inConfigHome makes a home for units and returns the directory they go into.
func inConfigHome(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	return filepath.Join(home, "systemd", "user")
}

func TestInstall_writesOnceAndReplacesOnlyItsOwn(t *testing.T) {
	dir := inConfigHome(t)
	unit := filepath.Join(dir, "moleculed.service")
	in := Installation{User: true, Binary: "/opt/moleculed/bin/moleculed"}
	changed, err := in.Install()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{unit}, changed); diff != "" {
		t.Errorf("wrote (-want +got):\n%s", diff)
	}
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("\nExecStart=/opt/moleculed/bin/moleculed serve\n")) || bytes.Contains(text, []byte(packagedBinary)) {
		t.Errorf("the unit starts something else:\n%s", text)
	}
	if changed, err := in.Install(); err != nil || len(changed) > 0 {
		t.Errorf("the second time it wrote %v: %v", changed, err)
	}
	in.Binary = "/usr/local/bin/moleculed"
	if changed, err := in.Install(); err != nil || len(changed) != 1 {
		t.Errorf("its own unit was not replaced: %v, %v", changed, err)
	}
	if err := os.WriteFile(unit, []byte("[Service]\nExecStart=/bin/true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	in.AllowWrite = []string{"/srv/work"}
	if changed, err := in.Install(); molecule.CodeOf(err) != molecule.Conflict || len(changed) > 0 {
		t.Errorf("a unit of somebody else: wrote %v, %v", changed, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "moleculed.service.d")); err == nil {
		t.Error("half of an installation was written")
	}
}

func TestInstall_refusesWhatTheServiceCouldNotUse(t *testing.T) {
	t.Parallel()
	const bin = "/usr/bin/moleculed"
	tests := []struct {
		name string
		in   Installation
		want string
	}{
		{"a binary in a home", Installation{Binary: "/home/ada/moleculed"}, "no access to /home"},
		{"a binary in /tmp", Installation{Binary: "/tmp/x/moleculed"}, "no access to /tmp"},
		{"a relative directory", Installation{Binary: bin, AllowWrite: []string{"work"}}, "no absolute path"},
		{"a blank", Installation{Binary: bin, AllowHome: []string{"/home/ada/my work"}}, "cannot hold"},
		{"a line of its own", Installation{Binary: bin, AllowWrite: []string{"/srv\nUser=root"}}, "cannot hold"},
		{"a specifier", Installation{Binary: bin, AllowWrite: []string{"/srv/%h"}}, "cannot hold"},
		{"a home of its own", Installation{User: true, Binary: "/home/ada/moleculed", AllowHome: []string{"/home/ada"}}, "leave"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := tt.in.files()
			if molecule.CodeOf(err) != molecule.Invalid || !strings.Contains(err.Error()+molecule.HintOf(err), tt.want) {
				t.Errorf("got %v (%s), want %q", err, molecule.HintOf(err), tt.want)
			}
		})
	}
}

// TestUnits_areWhatSystemdWants asks systemd-analyze, which says what it does not
// know and exits with 0 all the same: any word of it is a failure.
func TestUnits_areWhatSystemdWants(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed: apt-get install systemd")
	}
	tests := map[string]Installation{
		"of the system": {Binary: "/bin/true", AllowWrite: []string{"/srv"}, AllowHome: []string{"/home/agents"}},
		"of one user":   {User: true, Binary: "/bin/true"},
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			units := written(t, in)
			out, err := exec.CommandContext(t.Context(), "systemd-analyze", append([]string{"verify"}, units...)...).CombinedOutput()
			if err != nil || len(out) > 0 {
				t.Errorf("systemd-analyze verify: %v\n%s", err, out)
			}
			if in.User {
				return // what one user starts has what that user has
			}
			out, err = exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", units[0]).CombinedOutput()
			if err != nil {
				t.Errorf("systemd-analyze security: %v\n%s", err, out)
			}
		})
	}
}

// written writes the files of an installation into a scratch directory and returns
// its units, the service first.
func written(t *testing.T, in Installation) []string {
	t.Helper()
	files, err := in.files()
	if err != nil {
		t.Fatal(err)
	}
	scratch := t.TempDir()
	var units []string
	for _, f := range files {
		f.path = filepath.Join(scratch, strings.TrimPrefix(f.path, filepath.Dir(files[0].path)))
		if err := f.write(); err != nil {
			t.Fatal(err)
		}
		if ext := filepath.Ext(f.path); ext == ".service" || ext == ".socket" {
			units = append(units, f.path)
		}
	}
	return units
}
