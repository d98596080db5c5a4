package sqlite

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const lockName = "moleculed.lock"

// lock is the right to a data directory. The kernel gives it back when the
// process ends, however it ends.
type lock struct{ file *os.File }

// takeLock locks dir, or says which process has it.
func takeLock(dir string) (*lock, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, molecule.Errorf(molecule.Forbidden, "cannot open %s: %v", path, err).
			WithHint("the daemon's user must own the data directory and be able to write it")
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close() //nolint:errcheck // it was only read
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		return nil, molecule.Errorf(molecule.Conflict, "data directory %s is in use by moleculed, pid %s", dir, holder(f)).
			WithHint("stop that one first, or choose another directory with --data-dir")
	}
	if err := writePID(f); err != nil {
		return nil, errors.Join(fmt.Errorf("write %s: %w", path, err), f.Close())
	}
	return &lock{file: f}, nil
}

// holder returns the pid in a lock file.
func holder(f *os.File) string {
	b, err := io.ReadAll(io.LimitReader(f, 32))
	if pid := strings.TrimSpace(string(b)); err == nil && pid != "" {
		return pid
	}
	return "unknown"
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// release gives the directory back. To close the file is not enough: a child
// that was forked and has not reached its exec holds the lock with us.
func (l *lock) release() error {
	return errors.Join(syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN), l.file.Close())
}

// prepareDir makes dir, or checks that it is a directory of ours; one that
// others may read is tightened.
func prepareDir(dir string, log *slog.Logger) error {
	dir = filepath.Clean(dir) // a link with a slash behind it would be followed
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return molecule.Errorf(molecule.Forbidden, "cannot make data directory %s: %v", dir, err).
				WithHint("make it for the daemon's user, or choose another with --data-dir")
		}
		return nil
	}
	if err != nil {
		return molecule.Errorf(molecule.Forbidden, "cannot look at data directory %s: %v", dir, err).
			WithHint("choose another with --data-dir")
	}
	if !info.IsDir() { // a symlink is none either
		return molecule.Errorf(molecule.Forbidden, "data directory %s is a %s, not a directory", dir, kindOf(info.Mode())).
			WithHint("name the directory itself with --data-dir")
	}
	if err := ownedByUs(dir, info); err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(dir, 0o700); err != nil {
			return molecule.Errorf(molecule.Forbidden, "cannot close data directory %s to others: %v", dir, err)
		}
		log.Warn("closed the data directory to others", "dir", dir, "mode_before", info.Mode().Perm().String())
	}
	return nil
}

// ownedByUs returns Forbidden when the file belongs to somebody else.
func ownedByUs(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == os.Geteuid() {
		return nil
	}
	return molecule.Errorf(molecule.Forbidden, "%s belongs to uid %d, we are uid %d", path, st.Uid, os.Geteuid()).
		WithHint("chown it, or choose another directory with --data-dir")
}

func kindOf(m fs.FileMode) string {
	if m&fs.ModeSymlink != 0 {
		return "symlink"
	}
	return "file"
}
