package netguard

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// CheckServiceURL judges the URL of a service on the Internet, such as a chat or
// a code host: https, its port, and a host that is one of hosts. A host that
// network.allow_sink_hosts opens may be anywhere and speak plain http. An error
// is UnsafeURL; nobody is asked or dialled.
func (g *Guard) CheckServiceURL(raw string, hosts []string) (*url.URL, error) {
	w, err := split(raw)
	if err != nil {
		return nil, err
	}
	u, err := w.parse(raw)
	if err != nil {
		return nil, err
	}
	if g.opened(u.Scheme, HostPort(u)) {
		return u, nil
	}
	switch {
	case w.scheme != "https":
		return nil, refuse(reasonScheme, "a service on the Internet is called by https only", "write it as https://"+w.host)
	case !slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, w.host) }):
		return nil, refuse(reasonHost, "its host is none that this service has", "the hosts are "+strings.Join(hosts, ", ")+
			"; open another with network.allow_sink_hosts")
	case w.port != "" && unfit(w.number()):
		return nil, refuse(reasonPort, "the port belongs to another protocol", "leave the port out")
	}
	return u, g.checkServiceHost(w)
}

// checkServiceHost judges a host that is on the list of its service.
func (g *Guard) checkServiceHost(w written) error {
	if platformName(w.host) {
		return refuseAddress(reasonMetadata)
	}
	if a, err := netip.ParseAddr(w.host); err == nil {
		return g.judgeLiteral(permit{class: Service}, a, w)
	}
	return checkName(w.host)
}

// CheckStoredURL judges the URL of a sink whose address the operator wrote: it
// may point anywhere but at this daemon and at where platforms keep
// credentials. Without plaintext, http is for loopback only. An error is
// UnsafeURL.
func (g *Guard) CheckStoredURL(raw string, plaintext bool) (*url.URL, error) {
	w, err := split(raw)
	if err != nil {
		return nil, err
	}
	if w.scheme == "http" && !plaintext && !loopbackHost(w.host) {
		return nil, refuse(reasonScheme, "it is http, which anybody on the way can read", "use https, or say plaintext: true in the map")
	}
	if err := g.checkStoredHost(Stored, w); err != nil {
		return nil, err
	}
	return w.parse(raw)
}

// CheckStored judges the host:port of a sink that speaks another protocol than
// HTTP. secure says that it is spoken to over TLS; without it, and without
// plaintext, only loopback is. An error is UnsafeURL.
func (g *Guard) CheckStored(hostPort string, secure, plaintext bool) error {
	host, port, err := splitHostPort(hostPort)
	if err != nil {
		return err
	}
	if strings.IndexFunc(hostPort, unsafeByte) >= 0 || strings.ContainsAny(hostPort, "@%#/?") {
		return refuse(reasonHost, "it holds a character that no host holds", "write it as db.example.com:5432")
	}
	if !secure && !plaintext && !loopbackHost(host) {
		return refuse(reasonScheme, "it is spoken to without TLS, which anybody on the way can read", "use TLS, or say plaintext: true in the map")
	}
	w := written{host: host, port: numberText(port)}
	return g.checkStoredHost(Stored, w)
}

// loopbackHost reports whether a host means this machine by its text.
func loopbackHost(host string) bool {
	if strings.EqualFold(host, localName) {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && plain(a).IsLoopback()
}

// DialStored returns what opens connections to one stored host:port and
// nowhere else, in the form that clients of databases take. What they ask for
// beside it is refused.
func (g *Guard) DialStored(hostPort string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, _, addr string) (net.Conn, error) {
		return g.dial(WithTarget(ctx, Target{Class: Stored, Host: hostPort}), Stored, addr)
	}
}

// opened reports whether network.allow_sink_hosts opens an origin, or the
// proxy is there.
func (g *Guard) opened(scheme, hostPort string) bool {
	return slices.ContainsFunc(g.sinkHosts, func(u *url.URL) bool {
		return (scheme == "" || u.Scheme == scheme) && SameHostPort(HostPort(u), hostPort)
	})
}

// origins reads network.allow_sink_hosts.
func origins(texts []string) ([]*url.URL, error) {
	var all []*url.URL
	for _, text := range texts {
		u, err := origin("network.allow_sink_hosts", text)
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

// origin reads one scheme, host and port that a setting holds.
func origin(setting, text string) (*url.URL, error) {
	w, err := split(strings.TrimSuffix(text, "/"))
	if err == nil {
		var u *url.URL
		if u, err = w.parse(strings.TrimSuffix(text, "/")); err == nil && u.Path == "" && u.RawQuery == "" {
			return u, nil
		}
	}
	return nil, molecule.Errorf(molecule.Invalid, "%s: %q is no origin", setting, molecule.Excerpt(text, 80)).
		WithHint("write a scheme and a host, such as https://git.example.com or http://127.0.0.1:8080")
}
