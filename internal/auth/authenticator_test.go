package auth

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/tenant"
	"github.com/molecule-ai/molecli/internal/wire"
)

// liveToken makes a token that outlives any test run.
func liveToken(t *testing.T) (molecule.Token, string) {
	t.Helper()
	token, secret, err := Mint("op", "laptop", molecule.OperateScopes(), noon, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return token, secret.Reveal()
}

func newAuthenticator(t *testing.T, o Options) *Authenticator {
	t.Helper()
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// listenUnix listens on a socket with a path short enough for the kernel.
func listenUnix(t *testing.T) net.Listener {
	t.Helper()
	dir, err := os.MkdirTemp("", "auth")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func listenTCP(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// serve runs a real server on l and returns a function that makes one request
// with the given Host and header.
func serve(t *testing.T, l net.Listener, h http.Handler) func(host string, header http.Header) (status int, body string) {
	t.Helper()
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: h, ConnContext: ConnContext}}
	tenant.Harden(srv.Config)
	srv.Start()
	t.Cleanup(srv.Close)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, l.Addr().Network(), l.Addr().String())
	}
	c := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	return func(host string, header http.Header) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+wire.PathStatus, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host, req.Header = host, header
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
}

// whoami answers with the principal, or the error as every route does.
func whoami(a *Authenticator) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var answer any
		p, err := a.Authenticate(r)
		if answer = p; err != nil {
			w.WriteHeader(wire.Status(molecule.CodeOf(err)))
			answer = wire.EncodeError(err)
		}
		_ = json.NewEncoder(w).Encode(answer) // a lost client shows in the test itself
	})
}

// lines makes a header from names and values in turn.
func lines(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func bearer(token string) http.Header { return lines("Authorization", "Bearer "+token) }

func TestAuthenticate_takesThePeerOfTheSocket(t *testing.T) {
	t.Parallel()
	ask := serve(t, listenUnix(t), whoami(newAuthenticator(t, Options{Hosts: []string{"Agents.Example"}})))
	us := molecule.Principal{
		Name:   "uid:" + strconv.Itoa(os.Getuid()),
		Scopes: []molecule.Scope{molecule.ScopeAdmin},
		Local:  true,
		Source: "socket",
		Fresh:  true,
	}
	_, dead := mint(t)
	for _, tt := range []struct {
		name, host string
		header     http.Header
		status     int
	}{
		{"plain", "localhost", nil, 200},
		{"with port", "localhost:7420", nil, 200},
		{"configured name", "agents.example", nil, 200},
		{"a token has no say", "localhost", bearer(dead), 200},
		{"foreign host", "evil.example", nil, 403},
		{"name that begins like ours", "localhost.evil.example", nil, 403},
		{"origin", "localhost", lines("Origin", "http://localhost"), 403},
		{"opaque origin", "localhost", lines("Origin", "null"), 403},
		{"empty origin", "localhost", lines("Origin", ""), 403},
		{"referer", "localhost", lines("Referer", "http://localhost/"), 403},
		{"fetch metadata", "localhost", lines("sec-fetch-site", "none"), 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, body := ask(tt.host, tt.header)
			if status != tt.status {
				t.Fatalf("status = %d, want %d (%s)", status, tt.status, body)
			}
			if status != 200 {
				return
			}
			var got molecule.Principal
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, us); diff != "" {
				t.Errorf("principal (-got +want)\n%s", diff)
			}
		})
	}
}

// from makes a request that came over a connection of origin o.
func from(o origin) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://localhost/", nil)
	return r.WithContext(context.WithValue(r.Context(), originKey{}, o))
}

func TestAuthenticate_tellsAdministratorsFromOthers(t *testing.T) {
	t.Parallel()
	a := newAuthenticator(t, Options{Operators: []string{"4000000001", "root"}})
	a.admins = append(a.admins, 4000000002) // as if the daemon ran as this user
	for uid, admin := range map[uint32]bool{0: true, 4000000001: true, 4000000002: true, 4000000003: false} {
		got, err := a.Authenticate(from(origin{socket: true, peer: Peer{UID: uid}}))
		if err != nil {
			t.Fatal(err)
		}
		want := molecule.Principal{Name: "uid:" + strconv.Itoa(int(uid)), Scopes: molecule.OperateScopes(), Local: true, Source: "socket", Fresh: true}
		if admin {
			want.Scopes = []molecule.Scope{molecule.ScopeAdmin}
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("principal of %d (-got +want)\n%s", uid, diff)
		}
	}
}

func TestAuthenticate_neverFailsOpen(t *testing.T) {
	t.Parallel()
	token, shown := liveToken(t)
	a := newAuthenticator(t, Options{Tokens: load(t, token)})
	nameless := from(origin{socket: true, err: errors.New("no credential")})
	nameless.Header = bearer(shown) // a token does not help on the socket
	unplugged := httptest.NewRequest(http.MethodGet, "http://localhost/", nil)
	unplugged.Header = bearer(shown)
	nobody := newAuthenticator(t, Options{})
	knowsNobody := from(origin{})
	knowsNobody.Header = bearer(shown)
	for _, tt := range []struct {
		name string
		a    *Authenticator
		r    *http.Request
		want molecule.Code
	}{
		{"socket without credential", a, nameless, molecule.Unauthenticated},
		{"server without ConnContext", a, unplugged, molecule.Internal},
		{"no tokens configured", nobody, knowsNobody, molecule.Unauthenticated},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := tt.a.Authenticate(tt.r)
			if err == nil || molecule.CodeOf(err) != tt.want || p.Name != "" || p.Local || len(p.Scopes) != 0 {
				t.Errorf("Authenticate = %+v, %v, want nobody and code %q", p, err, tt.want)
			}
			if Local(tt.r) {
				t.Error("Local = true, want no proof")
			}
		})
	}
}

func TestAuthenticate_takesTheBearerOfALiveToken(t *testing.T) {
	t.Parallel()
	token, shown := liveToken(t)
	tokens := load(t, token)
	a := newAuthenticator(t, Options{Tokens: tokens})
	ask := serve(t, listenTCP(t), whoami(a))
	for _, header := range []http.Header{bearer(shown), lines("Authorization", "bearer "+shown), lines("Authorization", "BEARER "+shown)} {
		status, body := ask("127.0.0.1:7420", header)
		var got molecule.Principal
		if err := json.Unmarshal([]byte(body), &got); status != 200 || err != nil {
			t.Fatalf("status = %d (%s), want 200", status, body)
		}
		want := molecule.Principal{Name: "token:" + token.ID, Scopes: token.Scopes, TokenID: token.ID, Source: "127.0.0.1"}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("principal (-got +want)\n%s", diff)
		}
	}
	if used := tokens.Used(); len(used) != 1 || used[token.ID].IsZero() {
		t.Errorf("Used = %v, want the token", used)
	}
}

func TestAuthenticate_answersEveryWrongTokenAlike(t *testing.T) {
	t.Parallel()
	token, shown := liveToken(t)
	expired, shownExpired := mint(t)
	revoked, shownRevoked := liveToken(t)
	revoked.RevokedAt = noon
	_, unknown := liveToken(t)
	tokens := load(t, token, expired, revoked)
	a := newAuthenticator(t, Options{Tokens: tokens})
	ask := serve(t, listenTCP(t), whoami(a))
	wantStatus, want := ask("localhost", nil)
	if wantStatus != http.StatusUnauthorized {
		t.Fatalf("status without a token = %d, want 401", wantStatus)
	}
	for name, header := range map[string]http.Header{
		"expired":           bearer(shownExpired),
		"revoked":           bearer(shownRevoked),
		"unknown":           bearer(unknown),
		"malformed":         bearer("mol_op_x"),
		"empty":             bearer(""),
		"cut short":         bearer(shown[:len(shown)-1]),
		"two on one line":   bearer(shown + ", Bearer " + shown),
		"two spaces":        bearer(" " + shown),
		"other scheme":      lines("Authorization", "Basic "+shown),
		"no scheme":         lines("Authorization", shown),
		"two lines":         lines("Authorization", "Bearer "+shown, "Authorization", "Bearer "+shown),
		"in another header": lines("X-Api-Key", shown, "Proxy-Authorization", "Bearer "+shown),
		"in a cookie":       lines("Cookie", "token="+shown),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// One that nothing was presented to: it slows down who tries many.
			ask := serve(t, listenTCP(t), whoami(newAuthenticator(t, Options{Tokens: tokens})))
			status, body := ask("localhost", header)
			if diff := cmp.Diff(body, want); status != wantStatus || diff != "" {
				t.Errorf("status = %d, want %d (-got +want)\n%s", status, wantStatus, diff)
			}
		})
	}
	t.Cleanup(func() {
		if used := tokens.Used(); len(used) != 0 {
			t.Errorf("Used = %v, want none", used)
		}
	})
}

func TestAuthenticate_keepsToItsNamesOnLoopback(t *testing.T) {
	t.Parallel()
	token, shown := liveToken(t)
	a := newAuthenticator(t, Options{Tokens: load(t, token), Hosts: []string{"Agents.Example", "[fd00::1]"}})
	for host, ours := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:7420": true, "localhost": true, "LOCALHOST:1": true, "[::1]": true, "[::1]:7420": true,
		"agents.example": true, "agents.example:443": true, "[fd00::1]": true,
		"": false, ":7420": false, "evil.example": false, "127.0.0.1.evil.example": false, "localhost.": false, "127.0.0.2": false,
		"0.0.0.0": false, "::1": false, "[::1": false, "[::1]x": false, "[::2]": false, "localhost:80:80": false,
		"localhost:x": false, "localhost@evil.example": false, "other.agents.example": false,
	} {
		r := from(origin{loopback: true})
		r.Header, r.Host = bearer(shown), host
		if _, err := a.Authenticate(r); (err == nil) != ours || (!ours && molecule.CodeOf(err) != molecule.Forbidden) {
			t.Errorf("host %q: %v, want ours: %v", host, err, ours)
		}
		r = from(origin{})
		r.Header, r.Host = bearer(shown), host
		if _, err := a.Authenticate(r); err != nil {
			t.Errorf("host %q on another interface: %v, want the token to decide", host, err)
		}
	}
}

func TestNew_refusesAnOperatorWhoIsNoUser(t *testing.T) {
	t.Parallel()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	a := newAuthenticator(t, Options{Operators: []string{me.Username, "1234567"}})
	uid, err := strconv.ParseUint(me.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a.admins[:2], []uint32{uint32(uid), 1234567}); diff != "" {
		t.Errorf("operators (-got +want)\n%s", diff)
	}
	for _, name := range []string{"no such user", "", "-1", "4294967296"} {
		if _, err := New(Options{Operators: []string{name}}); molecule.CodeOf(err) != molecule.Invalid {
			t.Errorf("operator %q: %v, want Invalid", name, err)
		}
	}
}

func TestTenantGuard_takesOurProofs(t *testing.T) {
	t.Parallel()
	token, shown := liveToken(t)
	revoked, shownRevoked := liveToken(t)
	revoked.RevokedAt = noon
	tokens := load(t, token, revoked)
	a := newAuthenticator(t, Options{Tokens: tokens})
	guard, err := tenant.New(tenant.Options{OrgID: "acme", LocalProof: Local, TokenProof: a.HasLiveToken})
	if err != nil {
		t.Fatal(err)
	}
	overSocket := serve(t, listenUnix(t), guard.Wrap(whoami(a)))
	overTCP := serve(t, listenTCP(t), guard.Wrap(whoami(a)))
	const org = wire.HeaderOrgID
	for _, tt := range []struct {
		name   string
		ask    func(string, http.Header) (int, string)
		host   string
		header http.Header
		want   int
	}{
		{"socket without org", overSocket, "localhost", nil, 200},
		{"socket with org", overSocket, "localhost", lines(org, "acme"), 200},
		{"socket with another org", overSocket, "localhost", lines(org, "other"), 404},
		{"socket with a foreign host", overSocket, "evil.example", nil, 403},
		{"tcp with nothing", overTCP, "localhost", nil, 404},
		{"tcp with org only", overTCP, "localhost", lines(org, "acme"), 401},
		{"tcp with a live token only", overTCP, "localhost", bearer(shown), 200},
		{"tcp with both", overTCP, "localhost", lines(org, "acme", "Authorization", "Bearer "+shown), 200},
		{"tcp with a live token and another org", overTCP, "localhost", lines(org, "other", "Authorization", "Bearer "+shown), 404},
		{"tcp with a revoked token only", overTCP, "localhost", bearer(shownRevoked), 404},
		{"tcp with a live token and a foreign host", overTCP, "evil.example", bearer(shown), 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, body := tt.ask(tt.host, tt.header); got != tt.want {
				t.Errorf("status = %d, want %d (%s)", got, tt.want, body)
			}
		})
	}
}

func TestHasLiveToken_isNoUse(t *testing.T) {
	t.Parallel()
	token, shown := liveToken(t)
	tokens := load(t, token)
	r := from(origin{})
	r.Header = bearer(shown)
	if !newAuthenticator(t, Options{Tokens: tokens}).HasLiveToken(r) {
		t.Error("a live token is not seen")
	}
	if used := tokens.Used(); len(used) != 0 {
		t.Errorf("Used = %v, want none", used)
	}
}
