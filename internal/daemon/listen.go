package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
)

const (
	socketName    = "moleculed.sock"
	defaultTCP    = "http://127.0.0.1:7420"
	socketMode    = 0o660
	socketDirMode = 0o750
)

// address is one place to listen at.
type address struct {
	network string // unix or tcp
	where   string // path or host:port
	secure  bool   // of tcp: TLS
	named   bool   // by the operator, whose directory is not ours to judge
}

// String returns the address as it is written in --listen.
func (a address) String() string {
	if a.network == "unix" {
		return "unix://" + a.where
	}
	if a.secure {
		return "https://" + a.where
	}
	return "http://" + a.where
}

// loopback reports whether only this machine can reach a.
func (a address) loopback() bool {
	if a.network == "unix" {
		return true
	}
	host, _, err := net.SplitHostPort(a.where)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// addresses returns where to listen; the defaults when nothing is configured.
func addresses(listen []string) ([]address, error) {
	if len(listen) == 0 {
		dir, err := runtimeDir()
		if err != nil {
			return nil, err
		}
		return []address{
			{network: "unix", where: filepath.Join(dir, socketName)},
			{network: "tcp", where: strings.TrimPrefix(defaultTCP, "http://")},
		}, nil
	}
	var all []address
	for _, raw := range listen {
		a, err := parseAddress(raw)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// parseAddress reads unix://PATH or http(s)://HOST:PORT.
func parseAddress(raw string) (address, error) {
	bad := molecule.Errorf(molecule.Invalid, "listen address %q is not valid", raw).
		WithHint("write unix:///path/to.sock, http://HOST:PORT or https://HOST:PORT")
	if path, ok := strings.CutPrefix(raw, "unix://"); ok {
		if !filepath.IsAbs(path) {
			return address{}, bad
		}
		return address{network: "unix", where: path, named: true}, nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Port() == "" || u.Path != "" || u.User != nil || u.RawQuery != "" {
		return address{}, bad
	}
	return address{network: "tcp", where: u.Host, secure: u.Scheme == "https", named: true}, nil
}

// runtimeDir is where the socket goes when nobody says.
func runtimeDir() (string, error) {
	if dir := os.Getenv("RUNTIME_DIRECTORY"); dir != "" {
		return dir, nil
	}
	if os.Geteuid() == 0 {
		return "/run/moleculed", nil
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "moleculed"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", molecule.Errorf(molecule.Invalid, "no directory for the socket: %v", err).WithHint("name one with --listen unix://PATH")
	}
	return filepath.Join(home, ".molecule"), nil
}

// bind opens the listeners, or takes those of handed, which the service manager
// has opened and which become bind's. Call it with the lock of the data directory
// held: then a socket file that nobody listens on is a leftover and is replaced.
func bind(ctx context.Context, all []address, handed []net.Listener, cfg NetworkConfig) (open []net.Listener, err error) {
	defer func() {
		if err == nil {
			return
		}
		for _, l := range slices.Concat(open, handed) {
			err = errors.Join(err, l.Close())
		}
		open = nil
	}()
	secret, err := cfg.tlsConfig()
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		var ready net.Listener
		if i := slices.IndexFunc(handed, a.is); i >= 0 {
			ready = handed[i]
			handed = slices.Delete(handed, i, i+1)
		}
		l, err := a.listen(ctx, ready, cfg.BehindTLSProxy, secret)
		if err != nil {
			if ready != nil {
				handed = append(handed, ready)
			}
			return open, err
		}
		open = append(open, l)
	}
	if len(handed) > 0 {
		return open, molecule.Errorf(molecule.Invalid, "the service manager listens at %s, which is no address of this daemon", handed[0].Addr()).
			WithHint("make ListenStream= of the socket unit and listen: of the configuration name the same places")
	}
	return open, nil
}

// is reports whether l listens at a.
func (a address) is(l net.Listener) bool {
	at := l.Addr()
	if a.network == "unix" || at.Network() != "tcp" {
		return at.Network() == a.network && at.String() == a.where
	}
	_, there, err := net.SplitHostPort(at.String())
	if err != nil {
		return false
	}
	host, port, err := net.SplitHostPort(a.where)
	if err != nil || port != there {
		return false
	}
	bound, err := netip.ParseAddrPort(at.String())
	if err != nil {
		return false
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return bound.Addr().Unmap() == ip.Unmap()
	}
	return host != "localhost" || bound.Addr().IsLoopback() // of another name its port decides: it has TLS anyway
}

// listen opens a, or goes on with ready, which listens there already.
func (a address) listen(ctx context.Context, ready net.Listener, behindTLSProxy bool, secret *tls.Config) (net.Listener, error) {
	switch {
	case a.network == "unix" && ready != nil:
		return ready, nil // its file is the manager's, with the mode of its unit
	case a.network == "unix":
		return a.listenUnix(ctx)
	case a.secure && secret == nil:
		return nil, molecule.Errorf(molecule.Invalid, "%s needs a certificate", a).
			WithHint("name its files in network.tls_cert and network.tls_key")
	case !a.secure && !a.loopback() && !behindTLSProxy:
		return nil, molecule.Errorf(molecule.Invalid, "%s is reachable from other machines without TLS", a).
			WithHint("listen on https, put a proxy that speaks TLS in front and set network.behind_tls_proxy: true, or listen on 127.0.0.1")
	}
	l := ready
	if l == nil {
		var err error
		if l, err = new(net.ListenConfig).Listen(ctx, "tcp", a.where); err != nil {
			return nil, a.cannot(err)
		}
	}
	if a.secure {
		return &secured{Listener: tls.NewListener(l, secret)}, nil
	}
	return l, nil
}

// secured is a listener of TLS, and known as one.
type secured struct{ net.Listener }

func (a address) listenUnix(ctx context.Context) (net.Listener, error) {
	if !a.named {
		if err := os.MkdirAll(filepath.Dir(a.where), socketDirMode); err != nil {
			return nil, a.cannot(err)
		}
	}
	if err := removeLeftover(ctx, a.where); err != nil {
		return nil, a.cannot(err)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", a.where)
	if err != nil {
		return nil, a.cannot(err)
	}
	// Closed to all but us from bind to chmod by the process's umask.
	if err := os.Chmod(a.where, socketMode); err != nil {
		return nil, errors.Join(a.cannot(err), l.Close())
	}
	return l, nil
}

// removeLeftover removes a socket file that refuses connections. Anything else
// stays, and listening says what is wrong.
func removeLeftover(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is there and is not a socket", path)
	}
	alive, err := answers(ctx, path)
	if err != nil || alive {
		return err
	}
	return os.Remove(path)
}

// answers reports whether somebody listens on a socket file. Nothing is sent.
func answers(ctx context.Context, path string) (bool, error) {
	there, err := netguard.Endpoint("unix://" + path)
	if err != nil {
		return false, err
	}
	conn, err := there.Dial(ctx)
	if err != nil {
		return !errors.Is(err, syscall.ECONNREFUSED), nil
	}
	return true, conn.Close()
}

// cannot says why a could not be listened at, and what to do.
func (a address) cannot(err error) error {
	e := molecule.Errorf(molecule.Conflict, "cannot listen at %s", a).WithCause(err)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return molecule.Errorf(molecule.Conflict, "cannot listen at %s: somebody else does", a).
			WithHint("is another moleculed running? try molecli status, or choose other addresses with --listen")
	case errors.Is(err, fs.ErrPermission):
		return molecule.Errorf(molecule.Forbidden, "cannot listen at %s: permission denied", a).
			WithHint("choose a place you may write with --listen")
	}
	e.Message += ": " + err.Error()
	e.Err = nil
	return e.WithHint("choose another address with --listen")
}

// ports returns the TCP ports that are bound.
func ports(ls []net.Listener) []uint16 {
	var all []uint16
	for _, l := range ls {
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			all = append(all, uint16(a.Port)) // a port fits
		}
	}
	return all
}
