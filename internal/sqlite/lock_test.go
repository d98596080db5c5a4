package sqlite

import (
	"syscall"
	"testing"
)

func TestLock_givesTheDirectoryBackWhileAChildIsBeingStarted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := takeLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := syscall.Dup(int(l.file.Fd())) // what a child has between fork and exec
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(copied) })
	if err := l.release(); err != nil {
		t.Fatal(err)
	}
	again, err := takeLock(dir)
	if err != nil {
		t.Fatalf("the directory was given back and is not free: %v", err)
	}
	if err := again.release(); err != nil {
		t.Error(err)
	}
}
