package execagent

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// envName is what a variable may be called.
var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Resolve fills in e.Argv from e.Command and checks that it can be started as
// this process sees the machine now. Errors are Invalid and say what was looked
// for where.
func Resolve(e *molecule.Exec) error {
	if strings.ContainsRune(e.Command, 0) {
		return molecule.Errorf(molecule.Invalid, "command holds a NUL byte")
	}
	if err := checkEnv(e.PassEnv); err != nil {
		return err
	}
	if err := checkDir(e.Dir); err != nil {
		return err
	}
	if e.Shell {
		if strings.TrimSpace(e.Command) == "" {
			return molecule.Errorf(molecule.Invalid, "the command is empty")
		}
		e.Argv = []string{"/bin/sh", "-c", e.Command}
		return nil
	}
	argv, err := split(e.Command)
	if err != nil {
		return err
	}
	if len(argv) == 0 || argv[0] == "" {
		return molecule.Errorf(molecule.Invalid, "the command is empty")
	}
	if argv[0], err = program(argv[0], e.Dir); err != nil {
		return err
	}
	e.Argv = argv
	return nil
}

// checkEnv refuses names that no variable has or no command may see.
func checkEnv(names []string) error {
	for _, name := range names {
		if !envName.MatchString(name) {
			return molecule.Errorf(molecule.Invalid, "%q is not the name of a variable", molecule.Excerpt(name, 60)).
				WithHint("give names only: the values are the daemon's own")
		}
		if withheld(name) {
			return molecule.Errorf(molecule.Invalid, "%s belongs to the daemon, no command may have it", name)
		}
	}
	return nil
}

// checkDir refuses a working directory that is not there.
func checkDir(dir string) error {
	if dir == "" {
		return nil
	}
	if !filepath.IsAbs(dir) {
		return molecule.Errorf(molecule.Invalid, "working directory %q is not absolute", dir).
			WithHint("the daemon has another working directory than you: write the whole path")
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return molecule.Errorf(molecule.Invalid, "working directory %s is not a directory the daemon can see", dir)
	}
	return nil
}

// program returns the absolute path of a program that can be executed.
func program(name, dir string) (string, error) {
	if strings.Contains(name, "/") && !filepath.IsAbs(name) {
		if dir == "" {
			return "", molecule.Errorf(molecule.Invalid, "program %q is relative to nothing", name).
				WithHint("write the whole path, or name the working directory with --dir")
		}
		name = filepath.Join(dir, name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		where := "PATH (" + os.Getenv("PATH") + ")"
		if filepath.IsAbs(name) {
			where = "that path"
		}
		return "", molecule.Errorf(molecule.Invalid, "no program %q that can be executed in %s", name, where).
			WithHint("install it where the daemon runs, or write the whole path")
	}
	return filepath.Abs(path)
}
