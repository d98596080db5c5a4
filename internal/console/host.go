package console

import (
	"net"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// HostClass says what a host is to the console.
type HostClass int

// The classes. The zero class is the closed one.
const (
	Invalid     HostClass = iota // below the base domain, and nothing that is served there
	Tenant                       // the host of one organisation, its slug below the base domain
	Passthrough                  // no organisation's: served without a session of one
)

// String names the class.
func (c HostClass) String() string {
	switch c {
	case Tenant:
		return "tenant"
	case Passthrough:
		return "passthrough"
	}
	return "invalid"
}

// Base is the domain that consoles live below.
type Base struct {
	domain string // lower case, without a dot at either end
	app    string // the host of the login
}

// NewBase returns the rules of a domain such as example.com. One that no
// certificate could be for is Invalid.
func NewBase(domain string) (Base, error) {
	d := strings.ToLower(domain)
	labels := strings.Split(d, ".")
	for _, l := range labels {
		if !slug(l) {
			return Base{}, molecule.Errorf(molecule.Invalid, "%q is no domain", molecule.Excerpt(domain, 80)).WithHint("write it as example.com")
		}
	}
	if len(labels) < 2 {
		return Base{}, molecule.Errorf(molecule.Invalid, "%q is no domain of its own", molecule.Excerpt(domain, 80)).WithHint("write it as example.com")
	}
	return Base{domain: d, app: "app." + d}, nil
}

// maxHostBytes is the longest Host header that is read: a name of 253 bytes, its
// root dot and a port.
const maxHostBytes = 253 + 1 + 6

// Class tells what the Host header of a request is for, and of a tenant its
// slug. A port and one root dot are tolerated.
func (b Base) Class(host string) (class HostClass, slugName string) {
	name, ok := b.name(host)
	if !ok {
		return Invalid, ""
	}
	below, ours := strings.CutSuffix(name, "."+b.domain)
	switch {
	case name == b.domain:
		return Passthrough, ""
	case !ours:
		return Passthrough, "" // localhost, an address, a preview: nothing of an organisation
	case reserved(below):
		return Passthrough, ""
	case slug(below) && !strings.HasPrefix(below, "xn--"):
		return Tenant, below
	}
	return Invalid, ""
}

// name returns the host of a Host header in lower case, without port and root
// dot; false when it cannot be read in one way only.
func (b Base) name(host string) (string, bool) {
	if host == "" || len(host) > maxHostBytes || strings.ContainsFunc(host, outsideHost) {
		return "", false
	}
	name := strings.ToLower(host)
	if strings.HasPrefix(name, "[") {
		address, port, ok := strings.Cut(name[1:], "]")
		return address, ok && net.ParseIP(address) != nil && (port == "" || validPort(port))
	}
	if at := strings.IndexByte(name, ':'); at >= 0 {
		if !validPort(name[at:]) {
			return "", false
		}
		name = name[:at]
	}
	name = strings.TrimSuffix(name, ".")
	return name, name != "" && !strings.HasPrefix(name, ".") && !strings.HasSuffix(name, ".") && !strings.Contains(name, "..")
}

// outsideHost reports whether r stands in no host and port.
func outsideHost(r rune) bool {
	return !lowerOrDigit(r) && (r < 'A' || r > 'Z') && !strings.ContainsRune("-_.:[]", r)
}

// validPort reports whether text is a colon and a port from 1 to 65535.
func validPort(text string) bool {
	digits, ok := strings.CutPrefix(text, ":")
	if !ok || digits == "" || len(digits) > 5 || digits[0] == '0' {
		return false
	}
	n := 0
	for _, r := range digits {
		if r < '0' || r > '9' {
			return false
		}
		n = 10*n + int(r-'0')
	}
	return n <= 65535
}

// slug reports whether l is one label that an organisation may have, or a label
// of a domain, in lower case.
func slug(l string) bool {
	if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(l, func(r rune) bool { return !lowerOrDigit(r) && r != '-' })
}

func lowerOrDigit(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' }

// reserved reports whether a label below the base domain is no organisation's.
func reserved(label string) bool {
	switch label {
	case "app", "www", "api", "admin", "cp", "dashboard", "billing", "status", "docs", "auth", "login", "static", "assets":
		return true
	}
	return false
}
