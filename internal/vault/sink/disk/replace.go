package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// ErrChanged is the cause of an error when a file is no longer what was read.
var ErrChanged = errors.New("it changed since it was read")

// Owner is who a file is given to when it is made, or when it says so.
type Owner struct{ UID, GID int }

// Options says how a file is to be; zero: as it is, or 0600 and ours.
type Options struct {
	Mode  fs.FileMode
	Owner *Owner
}

// Update reads a file, asks change for its new content, and replaces it. It has
// the directory locked meanwhile, so that two updates of one file both count. A
// nil content removes the file; content equal to what is there writes nothing.
// A file that somebody else changes in between stays, and the error has
// [ErrChanged].
func Update(ctx context.Context, path string, limit int64, o Options, change func(File) ([]byte, error)) error {
	unlock, err := lock(ctx, filepath.Dir(filepath.Clean(path)))
	if err != nil {
		return coded(path, err)
	}
	defer unlock()
	f, err := Read(path, limit)
	if err != nil {
		return err
	}
	data, err := change(f)
	if err != nil {
		return err
	}
	switch {
	case data == nil && !f.Exists(), data != nil && f.Exists() && bytes.Equal(data, f.Data):
		return nil
	}
	if err := f.Replaceable(); err != nil {
		return err
	}
	if data == nil {
		err = f.remove(limit)
	} else {
		err = f.replace(data, limit, o)
	}
	if err != nil {
		return coded(f.Path, err)
	}
	return nil
}

// lock waits for the lock of a directory. Only updates of ours know it.
func lock(ctx context.Context, dir string) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = d.Close() }, nil // which unlocks
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = d.Close() // the other error says more
			return nil, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			_ = d.Close() // as above
			return nil, fmt.Errorf("wait for the lock of %s: %w", dir, context.Cause(ctx))
		}
	}
}

// replace writes beside the file and renames.
func (f File) replace(data []byte, limit int64, o Options) error {
	temp := f.temp()
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a crash
		return err
	}
	err := f.write(temp, data, o)
	if err == nil {
		err = f.unchanged(limit)
	}
	if err == nil {
		err = f.take(temp)
	}
	if err != nil {
		_ = os.Remove(temp) // it holds the value; the first error says more
		return err
	}
	return syncDir(filepath.Dir(f.Path))
}

// take gives the temporary file its name. A file that is not there is made
// without replacing one that came meanwhile.
func (f File) take(temp string) error {
	if f.Exists() {
		return os.Rename(temp, f.Path)
	}
	if err := os.Link(temp, f.Path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return changed(f.Path)
		}
		return err
	}
	return os.Remove(temp)
}

func (f File) write(temp string, data []byte, o Options) (err error) {
	w, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, NewMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if err := f.dress(w, o); err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	return w.Sync()
}

// dress gives w the owner, the attributes and the mode that f has, or that it
// is to have. The mode comes last: a change of owner takes bits away.
func (f File) dress(w *os.File, o Options) error {
	mode := NewMode
	if f.Exists() {
		mode = f.Info.Mode().Perm()
		if stat, ok := f.Info.Sys().(*syscall.Stat_t); ok && o.Owner == nil {
			o.Owner = &Owner{int(stat.Uid), int(stat.Gid)}
		}
		if err := copyAttributes(w, f.Path); err != nil {
			return err
		}
	}
	if o.Mode != 0 {
		mode = o.Mode
	}
	if o.Owner != nil {
		if err := w.Chown(o.Owner.UID, o.Owner.GID); err != nil {
			return err
		}
	}
	return w.Chmod(mode)
}

// copyAttributes copies extended attributes: access lists and labels are there.
func copyAttributes(w *os.File, path string) error {
	names := make([]byte, 64<<10) // the most that there can be
	n, err := syscall.Listxattr(path, names)
	if errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	if err != nil {
		return err
	}
	value := make([]byte, 64<<10)
	for _, name := range bytes.Split(bytes.TrimSuffix(names[:n], []byte{0}), []byte{0}) {
		if len(name) == 0 {
			continue
		}
		size, err := syscall.Getxattr(path, string(name), value)
		if err != nil {
			return fmt.Errorf("read attribute %s: %w", name, err)
		}
		if err := syscall.Setxattr(w.Name(), string(name), value[:size], 0); err != nil {
			return fmt.Errorf("keep attribute %s: %w", name, err)
		}
	}
	return nil
}

// unchanged looks once more, right before the name changes hands.
func (f File) unchanged(limit int64) error {
	now, err := Read(f.Path, limit)
	if err != nil {
		return err
	}
	if now.Exists() != f.Exists() || f.Exists() && (!os.SameFile(now.Info, f.Info) || !bytes.Equal(now.Data, f.Data)) {
		return changed(f.Path)
	}
	return nil
}

func changed(path string) error {
	return molecule.Errorf(molecule.Conflict, "%s was changed while it was written; it stays", path).
		WithHint("look who else writes it").WithCause(ErrChanged)
}

func (f File) remove(limit int64) error {
	if err := f.unchanged(limit); err != nil {
		return err
	}
	if err := os.Remove(f.Path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(f.Path))
}

// syncDir makes a change of names last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
