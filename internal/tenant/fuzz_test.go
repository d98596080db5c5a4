package tenant_test

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzTarget sends request targets over a raw socket without proof: whatever
// stands there, the answer is the 404 of an unknown path, or net/http's own
// refusal, and the same as with another organisation.
func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"/v1/agents", "//health", "/%68ealth", "*", "http://acme.example/health", "/health/..", "/?", "/a b"} {
		f.Add(seed)
	}
	addr := serve(f)
	unknown := exchange(f, addr, get("GET", "/no/such/path", ""))
	f.Fuzz(func(t *testing.T, target string) {
		if strings.ContainsAny(target, "\r\n") || len(target) > 4096 {
			return // another request, or one that the limit of a header ends
		}
		bare, _, _ := strings.Cut(target, "?")
		if bare == "/health" || bare == "/metrics" {
			return
		}
		got := exchange(t, addr, get("GET", target, ""))
		if got != unknown && !bytes.HasPrefix([]byte(got), []byte("HTTP/1.1 400 ")) && !strings.HasPrefix(got, "HTTP/1.1 505 ") {
			t.Errorf("%q is answered by %q", target, got)
		}
		if other := exchange(t, addr, get("GET", target, wrongOrg)); other != got {
			t.Errorf("%q is answered by %q, and with another organisation by %q", target, got, other)
		}
	})
}
