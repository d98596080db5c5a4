// Package disk reads and replaces small files whole, for sinks that are files.
//
// A file is either as it was or as it was meant to be, also when the machine
// stops in between. What somebody else changed since it was read is not
// replaced. Owner, mode and extended attributes stay; a symbolic link and a file
// with other names are refused, because the value would stay under the other
// name. Start with [Read].
package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// NewMode is the mode of a file that is made.
const NewMode fs.FileMode = 0o600

// File is a file as it was read. The zero Info is one that is not there.
type File struct {
	Path string
	Data []byte
	Info fs.FileInfo
}

// Exists reports whether the file is there.
func (f File) Exists() bool { return f.Info != nil }

// Read reads a regular file of at most limit bytes. One that is not there is no
// error; what cannot be read or replaced is.
func Read(path string, limit int64) (File, error) {
	if !filepath.IsAbs(path) {
		return File{}, molecule.Errorf(molecule.Invalid, "%q is no absolute path", path).WithHint("write where it is, from / on")
	}
	path = filepath.Clean(path)
	f, err := open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return File{Path: path}, nil
	}
	if err != nil {
		return File{}, coded(path, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	out, err := read(f, path, limit)
	if err != nil {
		return File{}, coded(path, err)
	}
	return out, nil
}

// open opens what the path names itself, and waits for nobody: a pipe in its
// place would hold us.
func open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, refused(path, "is a symbolic link", "name the file that it leads to")
	}
	return f, err
}

func read(f *os.File, path string, limit int64) (File, error) {
	info, err := f.Stat()
	if err != nil {
		return File{}, err
	}
	if !info.Mode().IsRegular() {
		return File{}, refused(path, "is no regular file", "name another path")
	}
	if info.Size() > limit {
		return File{}, refused(path, fmt.Sprintf("has %d bytes, more than the %d that are read", info.Size(), limit), "name another path")
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return File{}, err
	}
	if int64(len(data)) > limit {
		return File{}, refused(path, "grows while it is read", "name another path")
	}
	return File{Path: path, Data: data, Info: info}, nil
}

// refused is the error for what is not written at all.
func refused(path, what, hint string) error {
	return molecule.Errorf(molecule.Forbidden, "%s %s", path, what).WithHint("%s", hint)
}

// coded returns err with a code.
func coded(path string, err error) error {
	switch {
	case molecule.CodeOf(err) != molecule.Internal:
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return molecule.Errorf(molecule.NotFound, "the directory of %s is not there", path).WithHint("mkdir -p %s", filepath.Dir(path)).WithCause(err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return molecule.Errorf(molecule.Forbidden, "%s may not be read and written from here", path).
			WithHint("the daemon needs ReadWritePaths=%s, and rights there", filepath.Dir(path)).WithCause(err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EIO):
		return molecule.Errorf(molecule.Unavailable, "%s cannot be written now", path).WithHint("see df and dmesg").WithCause(err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// Replaceable says why the file could not be replaced; nil when it could. It
// changes nothing.
func (f File) Replaceable() error {
	const writable, searchable = 2, 1
	if err := syscall.Access(filepath.Dir(f.Path), writable|searchable); err != nil {
		return coded(f.Path, err)
	}
	if !f.Exists() {
		return nil
	}
	stat, ok := f.Info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil // not on the systems this is built for
	}
	if stat.Nlink > 1 && !f.halfMade() {
		return refused(f.Path, "has other names, under which the old value would stay", fmt.Sprintf("find . -samefile %s shows them", f.Path))
	}
	if us := os.Geteuid(); us != 0 && int(stat.Uid) != us {
		return refused(f.Path, "belongs to another user, and would belong to us", "give it to the user of the daemon")
	}
	return nil
}

// temp is where a new content waits to be renamed. There is one name for each
// file, so that what a crash left is found by the next write.
func (f File) temp() string {
	return filepath.Join(filepath.Dir(f.Path), "."+filepath.Base(f.Path)+".mol-new")
}

// halfMade reports whether the second name is that of our own temporary file: a
// crash came between the two steps of making a file.
func (f File) halfMade() bool {
	other, err := os.Lstat(f.temp())
	return err == nil && os.SameFile(other, f.Info)
}
