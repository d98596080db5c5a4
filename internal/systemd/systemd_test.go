package systemd_test

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/systemd"
)

// env is an environment.
type env map[string]string

func (e env) get(name string) string { return e[name] }

// manager listens as a service manager does.
func manager(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// socketDir is a directory whose path fits into a socket address.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestTell_sendsAllStatesInOneDatagram(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "notify")
	for _, socket := range []string{path, "@" + path} { // a file, and an abstract one
		heard := manager(t, socket)
		m, err := systemd.FromEnv(env{"NOTIFY_SOCKET": socket}.get, os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		err = m.Tell(systemd.Ready, systemd.Status("all\nis well"), systemd.Extend(1500*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 512)
		n, err := heard.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		want := "READY=1\nSTATUS=all is well\nEXTEND_TIMEOUT_USEC=1500000"
		if diff := cmp.Diff(want, string(buf[:n])); diff != "" {
			t.Errorf("%s heard (-want +got):\n%s", socket, diff)
		}
	}
}

func TestTell_saysWhenNobodyListens(t *testing.T) {
	t.Parallel()
	m, err := systemd.FromEnv(env{"NOTIFY_SOCKET": filepath.Join(socketDir(t), "gone")}.get, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Tell(systemd.Ready); err == nil {
		t.Error("telling nobody succeeded")
	}
}

func TestFromEnv(t *testing.T) {
	t.Parallel()
	const pid = 42
	tests := []struct {
		name     string
		env      env
		absent   bool
		watchdog time.Duration
		err      string
	}{
		{name: "nobody waits to be told", absent: true},
		{name: "no watchdog", env: env{"NOTIFY_SOCKET": "/run/n"}},
		{name: "a watchdog", env: env{"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "42"}, watchdog: 30 * time.Second},
		{name: "a watchdog of whoever it is", env: env{"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "1000"}, watchdog: time.Millisecond},
		{name: "a watchdog of our parent", env: env{"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "41"}},
		{name: "no number", env: env{"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "soon"}, err: `WATCHDOG_USEC is "soon"`},
		{name: "no time at all", env: env{"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "0"}, err: `WATCHDOG_USEC is "0"`},
		{name: "no socket", env: env{"NOTIFY_SOCKET": "run/n"}, err: `NOTIFY_SOCKET is "run/n"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := systemd.FromEnv(tt.env.get, pid)
			switch {
			case tt.err != "":
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want an error with %s", err, tt.err)
				}
			case err != nil:
				t.Error(err)
			case (m == nil) != tt.absent:
				t.Errorf("got %+v", m)
			case m != nil && m.Watchdog() != tt.watchdog:
				t.Errorf("got a watchdog of %s, want %s", m.Watchdog(), tt.watchdog)
			}
		})
	}
}

func TestListeners_areNoneOrAnError(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		env  env
		err  string
	}{
		{name: "none is handed over"},
		{name: "they are our parent's", env: env{"LISTEN_FDS": "1", "LISTEN_PID": strconv.Itoa(os.Getppid())}},
		{name: "none, in a number", env: env{"LISTEN_FDS": "0", "LISTEN_PID": strconv.Itoa(os.Getpid())}},
		{name: "no number", env: env{"LISTEN_FDS": "many", "LISTEN_PID": strconv.Itoa(os.Getpid())}, err: `LISTEN_FDS is "many"`},
		{name: "less than none", env: env{"LISTEN_FDS": "-1"}, err: `LISTEN_FDS is "-1"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ls, err := systemd.Listeners(tt.env.get, os.Getpid())
			if len(ls) > 0 {
				t.Errorf("got %d listeners", len(ls))
			}
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
		})
	}
}
