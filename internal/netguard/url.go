package netguard

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

const maxURLBytes = 2048

// CheckURL judges a URL that an agent or a remote principal wrote: its text,
// and its host when that is an address. No name is looked up and nobody is
// dialled. An error is UnsafeURL.
func (g *Guard) CheckURL(raw string) (*url.URL, error) {
	w, err := split(raw)
	if err != nil {
		return nil, err
	}
	if w.port != "" && unfit(w.number()) {
		return nil, refuse(reasonPort, "the port belongs to another protocol", "serve the agent on a port of its own, such as 8080")
	}
	if err := g.checkHost(w); err != nil {
		return nil, err
	}
	return w.parse(raw)
}

// CheckOperatorURL judges a URL that an administrator wrote on the unix socket.
// It may point anywhere, this machine included, but not at this daemon and not
// where platforms keep credentials. An error is UnsafeURL.
func (g *Guard) CheckOperatorURL(raw string) (*url.URL, error) {
	w, err := split(raw)
	if err != nil {
		return nil, err
	}
	if err := g.checkStoredHost(Operator, w); err != nil {
		return nil, err
	}
	return w.parse(raw)
}

// checkStoredHost judges a host that an administrator wrote. One that is a
// name is judged again when it is resolved.
func (g *Guard) checkStoredHost(class Class, w written) error {
	if platformName(w.host) {
		return refuseAddress(reasonMetadata)
	}
	p := permit{class: class}
	if strings.EqualFold(w.host, localName) {
		return g.judgeLocal(p, w)
	}
	if a, err := netip.ParseAddr(w.host); err == nil {
		return g.judgeLiteral(p, a, w)
	}
	return nil
}

// checkHost judges a host that an agent wrote.
func (g *Guard) checkHost(w written) error {
	if w.bracketed {
		a, err := netip.ParseAddr(w.host)
		if err != nil || !a.Is6() || a.Is4In6() || a.Zone() != "" {
			return refuse(reasonHost, "what stands in brackets is no IPv6 address", "write it as http://[2606:4700::1111]:8080")
		}
		return g.judgeLiteral(permit{class: Agent}, a, w)
	}
	if a, err := netip.ParseAddr(w.host); err == nil && a.Is4() && a.String() == w.host {
		return g.judgeLiteral(permit{class: Agent}, a, w)
	}
	if err := checkName(w.host); err != nil {
		return err
	}
	return g.checkLocalName(w)
}

// checkLocalName judges the names of this machine and of platforms.
func (g *Guard) checkLocalName(w written) error {
	name := strings.ToLower(w.host)
	bare := strings.TrimSuffix(name, ".")
	switch {
	case platformName(name):
		return refuseAddress(reasonMetadata)
	case name != bare && bare == localName, strings.HasSuffix(bare, "."+localName):
		return refuse(reasonHost, "only the plain name localhost may mean this machine", "write it as http://localhost:PORT")
	case name == localName && g.local:
		return g.judgeLocal(permit{class: Agent, loopback: true}, w)
	case bare == localName, hostName(bare):
		if !g.local {
			return refuse(reasonHost, "agents on the daemon's own machine are not allowed here",
				"an administrator on the unix socket may name one, or set network.local_agents")
		}
	}
	return nil
}

// judgeLiteral judges a host that is an address.
func (g *Guard) judgeLiteral(p permit, a netip.Addr, w written) error {
	if r := g.judge(p, netip.AddrPortFrom(a, w.number())); r != "" {
		return refuseAddress(r)
	}
	return nil
}

// judgeLocal judges localhost at a port.
func (g *Guard) judgeLocal(p permit, w written) error {
	return g.judgeLiteral(p, localhost()[0], w)
}

// written is a URL as it was written, cut apart but not decoded.
type written struct {
	scheme    string // lower case
	authority string
	host      string // without brackets
	bracketed bool
	port      string // decimal; "" when there is none
}

// number returns the port that is dialled.
func (w written) number() uint16 {
	port := w.port
	if port == "" {
		port = defaultPort(w.scheme)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return 0 // split lets no such port through
	}
	return uint16(n)
}

// numberText writes a port.
func numberText(port uint16) string { return strconv.FormatUint(uint64(port), 10) }

// parse returns the URL as net/url reads it, which has to be as we did.
func (w written) parse(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host != w.authority || u.Scheme != w.scheme || u.User != nil || u.Opaque != "" {
		return nil, refuse(reasonScheme, "it cannot be read in one way only", "write a plain URL, such as https://agent.example.com/a2a")
	}
	return u, nil
}

// split cuts a URL apart by rules that leave no room for two readings. It
// never trims or repairs.
func split(raw string) (written, error) {
	const plainURL = "write a plain URL, such as https://agent.example.com/a2a"
	var w written
	switch {
	case raw == "" || len(raw) > maxURLBytes:
		return w, refuse(reasonScheme, "it is empty or longer than 2048 bytes", plainURL)
	case strings.IndexFunc(raw, unsafeByte) >= 0:
		return w, refuse(reasonScheme, "it holds a character that no URL holds, such as a space or a letter outside ASCII", plainURL)
	case strings.Contains(raw, "#"):
		return w, refuse(reasonScheme, "it has a fragment", "leave out # and what follows it")
	}
	scheme, rest, _ := strings.Cut(raw, ":")
	w.scheme = strings.ToLower(scheme)
	if defaultPort(w.scheme) == "" {
		return w, refuse(reasonScheme, "it is neither http nor https", plainURL)
	}
	rest, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return w, refuse(reasonScheme, "it has no // behind the scheme", plainURL)
	}
	w.authority = rest
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		w.authority = rest[:end]
	}
	return w, w.splitAuthority()
}

// splitAuthority fills in host and port.
func (w *written) splitAuthority() error {
	switch {
	case strings.Contains(w.authority, "@"):
		return refuse(reasonUserinfo, "it holds a user name or password", "leave out everything up to the @")
	case strings.Contains(w.authority, "%"):
		return refuse(reasonHost, "its host is percent-encoded", "write the host in plain letters")
	}
	host, port, hasPort := strings.Cut(w.authority, ":")
	if inside, ok := strings.CutPrefix(w.authority, "["); ok {
		var behind string
		if host, behind, ok = strings.Cut(inside, "]"); !ok || behind != "" && behind[0] != ':' {
			return refuse(reasonHost, "its brackets do not hold a host", "write it as http://[2606:4700::1111]:8080")
		}
		_, port, hasPort = strings.Cut(behind, ":")
		w.bracketed = true
	}
	if host == "" {
		return refuse(reasonHost, "it has no host", "write a plain URL, such as https://agent.example.com/a2a")
	}
	if hasPort && !decimalPort(port) {
		return refuse(reasonPort, "its port is no number from 1 to 65535", "write it as :8080, or leave it out with its colon")
	}
	w.host, w.port = host, port
	return nil
}

// unsafeByte reports whether r stands in no URL, or means different things to
// different readers.
func unsafeByte(r rune) bool {
	return r <= 0x20 || r >= 0x7f || strings.ContainsRune("\\\"<>^{}|`", r)
}

func decimalPort(s string) bool {
	if s == "" || s[0] == '0' || len(s) > 5 || !digits(s) {
		return false
	}
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// unfit reports whether a port is one that browsers refuse, because a request
// there can be read as another protocol, or that of a database or of Docker.
func unfit(port uint16) bool {
	switch port {
	case 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95,
		101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179,
		389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636,
		989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566,
		6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080: // fetch standard, read 2026-04
		return true
	case 2375, 2376, 2379, 2380, 3306, 5432, 6379, 10250, 11211, 27017:
		return true
	}
	return false
}
