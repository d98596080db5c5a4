package sink

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
)

// Spec is what a sink is made of.
type Spec struct {
	Secret string // the name of the secret
	molecule.SinkSpec
	Net Network // nil for kinds that stay on this machine
}

// Open makes a sink. An error is Invalid or UnsafeURL; nobody was asked yet.
type Open func(Spec) (Sink, error)

// Network is the guarded way out.
type Network interface {
	CheckStored(hostPort string, secure, plaintext bool) error
	CheckStoredURL(raw string, plaintext bool) (*url.URL, error)
	CheckServiceURL(raw string, hosts []string) (*url.URL, error)
	DialStored(hostPort string) func(ctx context.Context, network, addr string) (net.Conn, error)
	Client(class netguard.Class) *http.Client
	TrustingClient(roots *x509.CertPool) *http.Client
}

// At names the place, with the name that the copy has there.
func (s Spec) At() string { return s.SinkSpec.At(s.Secret) }

// Name returns the name the copy has: what the target says under key, or the
// name of the secret.
func (s Spec) Name(key string) string {
	if name := s.Target[key]; name != "" {
		return name
	}
	return s.Secret
}

// On reports whether a switch of the target is on. What is neither on nor off
// is Invalid.
func (s Spec) On(key string) (bool, error) {
	switch s.Target[key] {
	case "on", "true":
		return true, nil
	case "", "off", "false":
		return false, nil
	}
	return false, molecule.Errorf(molecule.Invalid, "%s of %s is neither on nor off", key, s.At()).WithHint("write %s: on", key)
}
