package client

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
)

// acceptWait is how long one socket may take to accept. A local one does at
// once; one whose backlog is full is no daemon that could be asked.
const acceptWait = 500 * time.Millisecond

// Sockets returns where a daemon puts its socket when nobody says, in the
// order they are tried. lookup reads the environment; a place whose variable
// is not set is shown by the variable's name and fits no socket.
func Sockets(lookup func(string) (string, bool)) []string {
	from := func(name string) string {
		if v, ok := lookup(name); ok && filepath.IsAbs(v) {
			return v
		}
		return "$" + name
	}
	return []string{
		filepath.Join(from("XDG_RUNTIME_DIR"), "moleculed", "moleculed.sock"),
		"/run/moleculed/moleculed.sock",
		filepath.Join(from("HOME"), ".molecule", "moleculed.sock"),
	}
}

// Discover returns the endpoint of the first socket that accepts. That none
// does is an Unreachable that names them all.
func Discover(ctx context.Context, sockets []string) (string, error) {
	for _, path := range sockets {
		if !filepath.IsAbs(path) {
			continue
		}
		endpoint := "unix://" + path
		if accepts(ctx, endpoint) {
			return endpoint, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
	}
	err := molecule.Errorf(molecule.Unavailable, "no daemon found: nobody accepts at %s", strings.Join(sockets, ", ")).
		WithHint("moleculed serve, or --endpoint")
	return "", &Unreachable{err: err}
}

// Accepting returns the endpoints of all sockets that accept, in their order.
func Accepting(ctx context.Context, sockets []string) []string {
	var all []string
	for _, path := range sockets {
		if filepath.IsAbs(path) && accepts(ctx, "unix://"+path) {
			all = append(all, "unix://"+path)
		}
	}
	return all
}

// accepts reports whether somebody listens at an endpoint.
func accepts(ctx context.Context, endpoint string) bool {
	peer, err := netguard.Endpoint(endpoint)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, acceptWait)
	defer cancel()
	conn, err := peer.Dial(ctx)
	if err != nil {
		return false
	}
	_ = conn.Close() // it was opened to see whether it opens
	return true
}
