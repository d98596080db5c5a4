package vault

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// maxKeyFile is far above any key.
const maxKeyFile = 4096

// credentialsVariable names the directory with what systemd hands over
// (systemd.exec(5)).
const credentialsVariable = "CREDENTIALS_DIRECTORY"

// readPrivate reads a file that is ours and that nobody else may read.
func readPrivate(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, molecule.Errorf(molecule.NotFound, "%s does not exist", path).
			WithHint("a key that is lost takes what it wraps with it: bring it back from where it was kept")
	case err != nil:
		return nil, molecule.Errorf(molecule.Forbidden, "%s cannot be read: %v", path, bare(err)).
			WithHint("it is to be a plain file of mode 0600 that belongs to the daemon's user")
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return nil, molecule.Errorf(molecule.Forbidden, "%s is no regular file", path).WithHint("name the file itself")
	case mode.Perm()&0o077 != 0:
		return nil, molecule.Errorf(molecule.Forbidden, "%s has mode %04o, so others can read it", path, mode.Perm()).WithHint("chmod 600 %s", path)
	case ok && int(st.Uid) != os.Geteuid():
		return nil, molecule.Errorf(molecule.Forbidden, "%s belongs to uid %d, we are uid %d", path, st.Uid, os.Geteuid()).WithHint("chown %d %s", os.Geteuid(), path)
	}
	return io.ReadAll(io.LimitReader(f, maxKeyFile))
}

// Handed reports whether the service manager hands over a credential.
func Handed(name string) bool {
	dir := os.Getenv(credentialsVariable)
	if dir == "" {
		return false
	}
	_, err := os.Lstat(filepath.Join(dir, name))
	return err == nil
}

// readCredential reads what the service manager handed over, which is its to
// protect.
func readCredential(name string) (key, error) {
	dir := os.Getenv(credentialsVariable)
	if dir == "" || name == "" || strings.ContainsRune(name, '/') {
		return key{}, molecule.Errorf(molecule.NotFound, "the service manager hands over no credential %q", name).
			WithHint("LoadCredential=%s:/etc/moleculed/master.key in the unit", name)
	}
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return key{}, molecule.Errorf(molecule.NotFound, "credential %q cannot be read: %v", name, bare(err)).
			WithHint("LoadCredential=%s:/etc/moleculed/master.key in the unit", name)
	}
	return parseKey(string(text))
}

// MakeKeyFile makes a master key in a new file that only we may read. It refuses
// to replace one. Whatever stops it, the file is whole or not there.
func MakeKeyFile(path string) error {
	bad := func(err error) error {
		return molecule.Errorf(molecule.Forbidden, "cannot make the master key %s: %v", path, bare(err)).
			WithHint("give secrets.master_key a place that the daemon may write to, or make the directory")
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return bad(err)
		}
		return molecule.Errorf(molecule.Conflict, "master key %s exists", path).WithHint("what it wraps opens with nothing else: keep it")
	}
	half := path + ".new" // a crash may leave it: nothing was ever wrapped by it
	if err := os.Remove(half); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return bad(err)
	}
	f, err := os.OpenFile(half, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return bad(err)
	}
	_, err = f.WriteString(newKey().text().Reveal() + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(half, path)
	}
	if err != nil {
		return bad(errors.Join(err, os.Remove(half)))
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return bad(err)
	}
	return nil
}

// bare takes the path off an error that is told beside the path.
func bare(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// syncDir makes a new name in dir survive a crash.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
