package client

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// acceptWait is how long a socket that accepts may take to say so. A local one
// does at once; one that takes longer is there all the same.
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

// accepts reports whether somebody is behind an endpoint, whatever they say.
func accepts(ctx context.Context, endpoint string) bool {
	c, err := New(Options{Endpoint: endpoint, Timeout: acceptWait})
	if err != nil {
		return false
	}
	defer c.http.CloseIdleConnections()
	err = c.get(ctx, wire.PathHealth, nil, nil)
	_, absent := errors.AsType[*Unreachable](err)
	return !absent && ctx.Err() == nil
}
