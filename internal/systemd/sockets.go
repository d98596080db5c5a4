package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
)

// firstSocket is the descriptor of the first socket that is handed over.
const firstSocket = 3

// Listeners returns the sockets that the service manager has opened for this
// process and listens on; none when it has opened none. No child inherits
// them. Call it once: they belong to the caller, who closes them. The socket file
// of a listener stays when it is closed.
func Listeners(getenv func(name string) string, pid int) ([]net.Listener, error) {
	count := getenv("LISTEN_FDS")
	if count == "" || !ours(getenv("LISTEN_PID"), pid) {
		return nil, nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("LISTEN_FDS is %q, which is no number of sockets", count)
	}
	return listenersFrom(firstSocket, n)
}

// listenersFrom makes listeners of n descriptors.
func listenersFrom(first, n int) ([]net.Listener, error) {
	var all []net.Listener
	var failed error
	for fd := first; fd < first+n; fd++ {
		l, err := listenerOf(fd)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("socket %d of the service manager: %w", fd-first+1, err))
			continue
		}
		all = append(all, l)
	}
	if failed != nil {
		for _, l := range all {
			failed = errors.Join(failed, l.Close())
		}
		return nil, failed
	}
	return all, nil
}

func listenerOf(fd int) (net.Listener, error) {
	syscall.CloseOnExec(fd)
	file := os.NewFile(uintptr(fd), "socket")
	if file == nil {
		return nil, syscall.EBADF
	}
	l, err := net.FileListener(file)
	return l, errors.Join(err, file.Close()) // the listener has a descriptor of its own
}
