package auth

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Peer is the process at the other end of a unix socket, as it was when it
// connected.
type Peer struct {
	UID uint32
	GID uint32
	PID int32
}

// PeerCred asks the kernel who connected. Only a unix socket has an answer.
func PeerCred(conn net.Conn) (Peer, error) {
	if !isSocket(conn) {
		return Peer{}, fmt.Errorf("peer credential: %s is no unix socket", conn.LocalAddr().Network())
	}
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return Peer{}, fmt.Errorf("peer credential: a %T hides its socket", conn)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return Peer{}, fmt.Errorf("peer credential: %w", err)
	}
	var cred *unix.Ucred
	var asked error
	if err := raw.Control(func(fd uintptr) {
		cred, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return Peer{}, fmt.Errorf("peer credential: %w", err)
	}
	if asked != nil {
		return Peer{}, fmt.Errorf("peer credential: %w", asked)
	}
	return Peer{UID: cred.Uid, GID: cred.Gid, PID: cred.Pid}, nil
}

func isSocket(conn net.Conn) bool { return conn.LocalAddr().Network() == "unix" }

// origin is what a connection tells about its requests.
type origin struct {
	socket   bool
	peer     Peer  // of a socket, unless err is set
	err      error // why the kernel did not say who connected
	loopback bool  // reachable by a browser on this machine
}

type originKey struct{}

// ConnContext notes where a connection comes from. It is meant for
// http.Server.ConnContext.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	var o origin
	if isSocket(conn) {
		o.socket = true
		o.peer, o.err = PeerCred(conn)
	} else {
		addr, tcp := conn.LocalAddr().(*net.TCPAddr)
		o.loopback = !tcp || addr.IP.IsLoopback() // the stricter rules for what we do not know
	}
	return context.WithValue(ctx, originKey{}, o)
}

// Local reports whether a request came over the unix socket from a peer that
// the kernel named. It is what a tenant guard takes as proof there.
func Local(r *http.Request) bool {
	o, ok := r.Context().Value(originKey{}).(origin)
	return ok && o.socket && o.err == nil
}

// uids resolves user names and numeric uids.
func uids(names []string) ([]uint32, error) {
	var all []uint32
	for _, name := range names {
		id := name
		if _, err := strconv.ParseUint(name, 10, 32); err != nil {
			u, err := user.Lookup(name)
			if err != nil {
				return nil, molecule.Errorf(molecule.Invalid, "auth.operators names %q, who is no user of this machine",
					molecule.Excerpt(name, 64)).WithCause(err).WithHint("name users or uids of this machine")
			}
			id = u.Uid
		}
		uid, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("uid of %s: %w", name, err)
		}
		all = append(all, uint32(uid))
	}
	return all, nil
}
