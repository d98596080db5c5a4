package console

import (
	"net/url"
	"strconv"
	"strings"
)

const (
	maxReturnTo = 2048
	// decodeRounds is how often a path is decoded in search of what it hides:
	// proxies on the way decode once, some of them twice.
	decodeRounds = 3
	// loginPath is where nobody is returned to: it would send them on for ever.
	loginPath = "/cp/auth"
)

// SafeReturnTo tells whether raw, which came in from outside, may be returned to
// after a login, and as what: an https URL of the base domain itself, of its app
// or of one organisation, or a path of the host that was asked. The text that is
// returned is written anew, so that it is read in one way only; it is checked
// when it is issued and again when it is used. When ok is false use a default,
// and never show raw. A return_to within it is dropped.
func (b Base) SafeReturnTo(raw string) (to string, ok bool) {
	if raw == "" || len(raw) > maxReturnTo || strings.ContainsFunc(raw, unsafeRune) {
		return "", false
	}
	if strings.HasPrefix(raw, "/") {
		return b.safePath(raw)
	}
	return b.safeURL(raw)
}

// unsafeRune reports whether r stands in no URL, or is read differently by
// different readers.
func unsafeRune(r rune) bool { return r <= 0x20 || r >= 0x7f || r == '\\' }

// safePath judges a path of the host that was asked.
func (b Base) safePath(raw string) (string, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !safeParts(u) {
		return "", false
	}
	return rewritten(u)
}

// safeURL judges a whole URL.
func (b Base) safeURL(raw string) (string, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Opaque != "" || u.User != nil || strings.ContainsAny(u.Host, ":[]%") {
		return "", false
	}
	class, _ := b.Class(u.Host)
	name := strings.ToLower(u.Host)
	if name != b.domain && name != b.app && (class != Tenant || strings.HasSuffix(name, ".")) {
		return "", false
	}
	if u.Path == "" {
		u.Path = "/"
	}
	if !safeParts(u) {
		return "", false
	}
	u.Host = name
	return rewritten(u)
}

// safeParts judges the path of a URL, however often it is decoded on the way.
func safeParts(u *url.URL) bool {
	path := u.EscapedPath()
	for range decodeRounds + 1 {
		if !safeDecoded(path) {
			return false
		}
		decoded := decode(path)
		if decoded == path {
			return true
		}
		path = decoded
	}
	return false // it hides something deeper than anybody needs
}

// rewritten writes u anew. What is within the limit may grow beyond it, and would
// be refused when it is used.
func rewritten(u *url.URL) (string, bool) {
	u.RawQuery = withoutReturnTo(u.RawQuery)
	to := u.String()
	if len(to) > maxReturnTo {
		return "", false
	}
	return to, true
}

// decode decodes once and leaves what is no escape, as the most lenient reader
// does: a strict one stops earlier, at a text that was judged before.
func decode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// withoutReturnTo drops return_to from a query: a login that leads to a login is
// a loop.
func withoutReturnTo(query string) string {
	if query == "" {
		return ""
	}
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(decode(key), "return_to") {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

// safeDecoded judges a path as it is after some rounds.
func safeDecoded(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\\' }) {
		return false
	}
	if len(path) > 1 && path[1] == '/' {
		return false // another host
	}
	for segment := range strings.SplitSeq(path, "/") {
		bare, _, _ := strings.Cut(segment, ";")
		if bare == "." || bare == ".." {
			return false
		}
	}
	lower := strings.ToLower(path)
	for strings.Contains(lower, "//") {
		lower = strings.ReplaceAll(lower, "//", "/") // as routers that clean paths do
	}
	rest, under := strings.CutPrefix(lower, loginPath)
	return !under || rest != "" && !strings.ContainsRune("/;?#", rune(rest[0]))
}
