package auth

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Options says whom an Authenticator knows.
type Options struct {
	Tokens *Tokens // nil knows none

	// Operators are the users, by name or uid, who are administrators on the
	// socket beside root and the user the daemon runs as.
	Operators []string

	// Hosts are the names a Host header may hold beside those of loopback,
	// without a port.
	Hosts []string
}

// Authenticator finds the principal of a request. It is safe for concurrent
// use.
type Authenticator struct {
	tokens *Tokens
	limits *limits
	admins []uint32
	hosts  []string
}

// New makes an Authenticator. An operator this machine does not know is
// Invalid.
func New(o Options) (*Authenticator, error) {
	operators, err := uids(o.Operators)
	if err != nil {
		return nil, err
	}
	a := &Authenticator{
		tokens: o.Tokens,
		limits: newLimits(),
		admins: append(operators, 0, uint32(os.Geteuid())), // a uid fits: the kernel's has 32 bits
		hosts:  []string{"localhost", "127.0.0.1", "::1"},
	}
	if a.tokens == nil {
		a.tokens = &Tokens{}
	}
	for _, h := range o.Hosts {
		a.hosts = append(a.hosts, strings.Trim(strings.ToLower(h), "[]"))
	}
	return a, nil
}

// Authenticate returns who is asking: on the unix socket the peer, over TCP the
// bearer of a token. Nobody is Unauthenticated, a request that a web page could
// have caused is Forbidden, and who asks too often RateLimited: of a wrong token
// the answer then takes a second, and a right one is never slowed by it.
func (a *Authenticator) Authenticate(r *http.Request) (molecule.Principal, error) {
	o, ok := r.Context().Value(originKey{}).(origin)
	ask := a.bearer
	switch {
	case !ok:
		return molecule.Principal{}, molecule.Errorf(molecule.Internal, "connection of unknown origin")
	case o.socket:
		ask = a.peer
	}
	p, err := ask(o, r)
	if err != nil {
		return p, err
	}
	return p, a.limits.admit(p)
}

// AdmitNobody returns an error for a request without a principal from where too
// many come.
func (a *Authenticator) AdmitNobody(r *http.Request) error { return a.limits.admitNobody(a.Source(r)) }

// peer returns the principal behind a connection to the socket.
func (a *Authenticator) peer(o origin, r *http.Request) (molecule.Principal, error) {
	if o.err != nil {
		return molecule.Principal{}, molecule.Errorf(molecule.Unauthenticated, "the kernel does not say who is asking").WithCause(o.err)
	}
	if name := browserHeader(r.Header); name != "" {
		return molecule.Principal{}, molecule.Errorf(molecule.Forbidden, "the socket takes no request with a %s header", name)
	}
	// The socket has no name of its own; localhost is what clients send.
	if !a.allowedHost(r.Host) {
		return molecule.Principal{}, foreignHost(r.Host).WithHint("send Host: localhost")
	}
	scopes := molecule.OperateScopes()
	if slices.Contains(a.admins, o.peer.UID) {
		scopes = []molecule.Scope{molecule.ScopeAdmin}
	}
	return molecule.Principal{Name: fmt.Sprintf("uid:%d", o.peer.UID), Scopes: scopes, Local: true, Source: sourceSocket, Fresh: true}, nil
}

// bearer returns the principal behind a token.
func (a *Authenticator) bearer(o origin, r *http.Request) (molecule.Principal, error) {
	// A page whose name was rebound to loopback still sends its own name.
	if o.loopback && !a.allowedHost(r.Host) {
		return molecule.Principal{}, foreignHost(r.Host).WithHint("send the address you connect to: 127.0.0.1, [::1] or localhost")
	}
	now := molecule.Now()
	t, ok := a.tokens.Check(presented(r), now)
	if !ok {
		// One answer for every way a token can be wrong, or missing.
		var err error = molecule.Errorf(molecule.Unauthenticated, "a valid token is needed").
			WithHint("send Authorization: Bearer TOKEN, or use the unix socket")
		if len(r.Header["Authorization"]) > 0 {
			err = a.limits.failed(r.Context(), a.Source(r), err)
		}
		return molecule.Principal{}, err
	}
	a.tokens.use(t.ID, now)
	return molecule.Principal{
		Name: "token:" + t.ID, Scopes: t.Scopes, TokenID: t.ID, AgentID: t.AgentID, Source: a.Source(r),
		Fresh: now.Sub(t.CreatedAt).Abs() < molecule.FreshFor, // a clock that was set back makes none older
	}, nil
}

// Departed returns the agent whose token a request carries, if that token was
// revoked: it still proves who is asking, which is enough to be told that one is
// gone and for nothing else. The principal has no scope.
func (a *Authenticator) Departed(r *http.Request) (molecule.Principal, bool) {
	t, genuine := a.tokens.recognise(presented(r))
	if !genuine || t.AgentID == "" || t.RevokedAt.IsZero() {
		return molecule.Principal{}, false
	}
	return molecule.Principal{Name: "token:" + t.ID, TokenID: t.ID, AgentID: t.AgentID, Source: a.Source(r)}, true
}

// sourceSocket is where whoever the kernel vouches for comes from.
const sourceSocket = "socket"

// Source returns where a request comes from: socket, or the address of the peer
// without its port.
func (a *Authenticator) Source(r *http.Request) string {
	if o, ok := r.Context().Value(originKey{}).(origin); ok && o.socket {
		return sourceSocket
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// HasLiveToken reports whether a request carries a token that may be used. It
// is what a tenant guard takes as proof; a token is not used by it.
func (a *Authenticator) HasLiveToken(r *http.Request) bool {
	_, ok := a.tokens.Check(presented(r), molecule.Now())
	return ok
}

// presented returns the token of the only Authorization line, or "".
func presented(r *http.Request) string {
	lines := r.Header["Authorization"]
	if len(lines) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(lines[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}

// browserHeader returns the name of a header that only browsers send, or "".
// They cannot reach a socket, but something that forwards to it could.
func browserHeader(h http.Header) string {
	for name := range h {
		if name == "Origin" || name == "Referer" || strings.HasPrefix(name, "Sec-Fetch-") {
			return name
		}
	}
	return ""
}

func foreignHost(host string) *molecule.Error {
	return molecule.Errorf(molecule.Forbidden, "host %q is not served here", molecule.Excerpt(host, 80))
}

// allowedHost reports whether a Host header holds one of our names, with or
// without a port.
func (a *Authenticator) allowedHost(host string) bool {
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		name, port = host[:i], host[i+1:]
	}
	if strings.Trim(port, "0123456789") != "" {
		return false
	}
	if inner, ok := strings.CutPrefix(name, "["); ok {
		if name, ok = strings.CutSuffix(inner, "]"); !ok {
			return false
		}
	} else if strings.ContainsRune(name, ':') {
		return false // an address of IPv6 needs its brackets
	}
	return slices.Contains(a.hosts, strings.ToLower(name))
}
