package systemd

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// dup returns a descriptor of the same file that may be taken over.
func dup(t *testing.T, file *os.File) int {
	t.Helper()
	defer func() { _ = file.Close() }()
	fd, err := syscall.Dup(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestListeners_acceptWhereTheManagerListens(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "socket")
	opened, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	opened.SetUnlinkOnClose(false)
	file, err := opened.File()
	if err != nil {
		t.Fatal(err)
	}
	handed, err := listenersFrom(dup(t, file), 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(handed) != 1 || handed[0].Addr().String() != path {
		t.Fatalf("got %v, want one listener at %s", handed, path)
	}
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	if _, err := handed[0].Accept(); err != nil {
		t.Errorf("accept: %v", err)
	}
	if err := handed[0].Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the socket of the manager is gone with us: %v", err)
	}
}

func TestListeners_refuseWhatIsNoSocket(t *testing.T) {
	t.Parallel()
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if ls, err := listenersFrom(dup(t, file), 1); err == nil {
		t.Errorf("a file was taken for a listener: %v", ls)
	}
}
