// Package systemd speaks with the service manager that started the process: it
// tells it how the service is, and takes the sockets it has opened.
//
// The protocols are those of sd_notify(3) and sd_listen_fds(3), which are a
// datagram of lines and three environment variables. A process that nobody
// started this way has no [Manager] and no sockets.
package systemd

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// What a service manager is told.
const (
	Ready    = "READY=1"
	Alive    = "WATCHDOG=1"
	Stopping = "STOPPING=1"
)

// Status tells what the service does, in one line.
func Status(text string) string {
	return "STATUS=" + strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' ' // a line break would begin another assignment
		}
		return r
	}, text)
}

// Extend asks for more time to start or stop: d from now on.
func Extend(d time.Duration) string {
	return "EXTEND_TIMEOUT_USEC=" + strconv.FormatInt(d.Microseconds(), 10)
}

// tellWithin bounds telling a manager that does not read.
const tellWithin = time.Second

// Manager is a service manager that waits to be told.
type Manager struct {
	socket   string
	watchdog time.Duration
}

// FromEnv returns the manager that NOTIFY_SOCKET names; nil when nobody waits to
// be told. The watchdog counts when WATCHDOG_PID is pid or absent.
func FromEnv(getenv func(name string) string, pid int) (*Manager, error) {
	socket := getenv("NOTIFY_SOCKET")
	if socket == "" {
		return nil, nil
	}
	if socket[0] != '/' && socket[0] != '@' {
		return nil, fmt.Errorf("NOTIFY_SOCKET is %q, which is neither a path nor an abstract socket", socket)
	}
	m := &Manager{socket: socket}
	every := getenv("WATCHDOG_USEC")
	if every == "" || !ours(getenv("WATCHDOG_PID"), pid) {
		return m, nil
	}
	usec, err := strconv.ParseInt(every, 10, 64)
	if err != nil || usec <= 0 {
		return nil, fmt.Errorf("WATCHDOG_USEC is %q, which is no number of microseconds", every)
	}
	m.watchdog = time.Duration(usec) * time.Microsecond
	return m, nil
}

// ours reports whether a variable that names a process names this one, or none.
func ours(named string, pid int) bool { return named == "" || named == strconv.Itoa(pid) }

// Watchdog returns how long the manager waits for [Alive] before it kills the
// process; 0 when it does not.
func (m *Manager) Watchdog() time.Duration { return m.watchdog }

// Tell sends states in one datagram.
func (m *Manager) Tell(states ...string) error {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"}) // of no name: the kernel gives it one
	if err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	defer func() { _ = conn.Close() }() // nothing is buffered
	if err := conn.SetWriteDeadline(time.Now().Add(tellWithin)); err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	if _, err := conn.WriteToUnix([]byte(strings.Join(states, "\n")), &net.UnixAddr{Net: "unixgram", Name: m.socket}); err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	return nil
}
