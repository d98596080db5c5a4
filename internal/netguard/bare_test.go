package netguard

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestBare_leavesTheURLOut(t *testing.T) {
	t.Parallel()
	const secret = "bot123:canary"
	control := string(rune(0x7f)) // no URL holds it
	_, parse := url.Parse("http://a.example/" + secret + control)
	_, dial := http.Get("http://127.0.0.1:1/" + secret) //nolint:noctx // nobody listens there
	cause := errors.New("cause")
	for name, err := range map[string]error{
		"of parsing": parse, "of a request": dial,
		"wrapped":    fmt.Errorf("call: %w", &url.Error{Op: "Get", URL: secret, Err: cause}),
		"twice over": &url.Error{Op: "Get", URL: secret, Err: &url.Error{Op: "Get", URL: secret, Err: cause}},
	} {
		if err == nil || !strings.Contains(fmt.Sprintf("%v %+v", err, err), "canary") {
			t.Fatalf("%s: the error holds no secret: %v", name, err)
		}
		if bare := Bare(err); bare == nil || strings.Contains(fmt.Sprintf("%v %+v", bare, bare), "canary") {
			t.Errorf("%s: got %+v", name, bare)
		}
	}
	if Bare(nil) != nil || !errors.Is(Bare(cause), cause) {
		t.Error("an error without a URL is changed")
	}
}
