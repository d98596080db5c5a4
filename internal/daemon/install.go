package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/molecule-ai/molecli/config"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// packagedBinary is what the units in config name.
const packagedBinary = "/usr/bin/moleculed"

// installedMark begins every unit that install-service has written.
const installedMark = "# moleculed install-service"

// Installation says how systemd is to run the daemon.
type Installation struct {
	User       bool     // by the one who asks, not by the system
	Binary     string   // absolute path of moleculed
	AllowWrite []string // directories that it may write to beside its own
	AllowHome  []string // directories in homes that it may see and write to
}

// unitFile is a file of systemd.
type unitFile struct {
	path string
	text []byte
}

// files returns what systemd needs.
func (in Installation) files() ([]unitFile, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	dropIn := in.dropIn()
	if in.User {
		dir, err := userUnitDir()
		if err != nil {
			return nil, err
		}
		return append([]unitFile{{filepath.Join(dir, "moleculed.service"), in.unit(config.UserService)}}, dropIn.at(dir)...), nil
	}
	const dir = "/etc/systemd/system"
	return append([]unitFile{
		{filepath.Join(dir, "moleculed.service"), in.unit(config.Service)},
		{filepath.Join(dir, "moleculed.socket"), in.unit(config.Socket)},
		{"/etc/sysusers.d/moleculed.conf", config.Sysusers},
	}, dropIn.at(dir)...), nil
}

// unit returns a unit with our binary in it.
func (in Installation) unit(text []byte) []byte {
	return bytes.ReplaceAll(text, []byte("="+packagedBinary+" "), []byte("="+in.Binary+" "))
}

// check refuses what systemd would only refuse when the service starts.
func (in Installation) check() error {
	if !in.User {
		for _, hidden := range []string{"/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/"} {
			if strings.HasPrefix(in.Binary, hidden) {
				return molecule.Errorf(molecule.Invalid, "the service could not see %s: it has no access to %s", in.Binary, strings.TrimSuffix(hidden, "/")).
					WithHint("cp %s /usr/local/bin/ and call that one, or use --user", in.Binary)
			}
		}
	}
	if in.User && len(in.AllowHome) > 0 {
		return molecule.Errorf(molecule.Invalid, "--allow-home is for the system's service: with --user it sees your home").
			WithHint("leave --allow-home out")
	}
	for _, dir := range slices.Concat(in.AllowWrite, in.AllowHome, []string{in.Binary}) {
		switch {
		case !filepath.IsAbs(dir):
			return molecule.Errorf(molecule.Invalid, "%s is no absolute path", dir).WithHint("write it from the root: /srv/work")
		case strings.ContainsAny(dir, " \t\n\"'\\%$"):
			return molecule.Errorf(molecule.Invalid, "%q has a character that a unit cannot hold as it is", dir).
				WithHint("use a path without blanks, quotes, %% and $")
		}
	}
	return nil
}

// dropIn is what a drop-in allows; nothing when it is empty.
type dropIn []byte

func (in Installation) dropIn() dropIn {
	if len(in.AllowWrite)+len(in.AllowHome) == 0 {
		return nil
	}
	var b bytes.Buffer
	b.WriteString(installedMark + " wrote this file\n[Service]\n")
	for _, dir := range in.AllowWrite {
		fmt.Fprintf(&b, "ReadWritePaths=%s\n", dir)
	}
	if len(in.AllowHome) > 0 {
		b.WriteString("ProtectHome=tmpfs\n") // everything else in homes stays out of sight
	}
	for _, dir := range in.AllowHome {
		fmt.Fprintf(&b, "BindPaths=%s\n", dir)
	}
	return b.Bytes()
}

func (d dropIn) at(dir string) []unitFile {
	if d == nil {
		return nil
	}
	return []unitFile{{filepath.Join(dir, "moleculed.service.d", "allow.conf"), d}}
}

// userUnitDir is where systemd looks for the units of one user.
func userUnitDir() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", molecule.Errorf(molecule.Invalid, "no directory for the unit: %v", err).WithHint("set HOME or XDG_CONFIG_HOME")
	}
	return filepath.Join(dir, "systemd", "user"), nil
}

// next are the commands that remain.
func (in Installation) next() []string {
	if in.User {
		return []string{
			"systemctl --user daemon-reload", "systemctl --user enable --now moleculed.service",
			"loginctl enable-linger", "molecli liveness --wait 30s",
		}
	}
	return []string{
		"systemd-sysusers", "systemctl daemon-reload", "systemctl enable --now moleculed.socket moleculed.service", "molecli liveness --wait 30s",
	}
}

// Install writes what systemd needs and returns the paths that changed. A file that
// somebody else wrote is Conflict, and then nothing is written.
func (in Installation) Install() (changed []string, err error) {
	files, err := in.files()
	if err != nil {
		return nil, err
	}
	var write []unitFile
	for _, f := range files {
		have, err := os.ReadFile(f.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			write = append(write, f)
		case err != nil:
			return nil, molecule.Errorf(molecule.Forbidden, "cannot read %s: %v", f.path, err).WithHint("try it as root, or with --user")
		case bytes.Equal(have, f.text):
		case !bytes.HasPrefix(have, []byte(installedMark)):
			return nil, molecule.Errorf(molecule.Conflict, "%s is there and was written by somebody else", f.path).
				WithHint("move it away, or see what we would write: moleculed install-service --print")
		default:
			write = append(write, f)
		}
	}
	if !in.User {
		made, err := makeInstalledKey(installedKey)
		if err != nil {
			return nil, err
		}
		if made != "" {
			changed = append(changed, made)
		}
	}
	for _, f := range write {
		if err := f.write(); err != nil {
			return changed, err
		}
		changed = append(changed, f.path)
	}
	return changed, nil
}

// write replaces the file in one step, readable by everybody as units are.
func (f unitFile) write() error {
	bad := func(err error) error {
		return molecule.Errorf(molecule.Forbidden, "cannot write %s: %v", f.path, err).WithHint("try it as root, or with --user")
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
		return bad(err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(f.path), ".moleculed-*")
	if err != nil {
		return bad(err)
	}
	_, err = tmp.Write(f.text)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), f.path)
	}
	if err != nil {
		return bad(errors.Join(err, os.Remove(tmp.Name())))
	}
	return nil
}
