package auth

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// FuzzBearer writes whatever follows as a request, header lines and all, and reads
// it as the server does: it proves somebody only if its one Authorization line is
// the scheme, a blank and the token.
func FuzzBearer(f *testing.F) {
	token, minted, err := Mint("op", "laptop", molecule.OperateScopes(), noon, time.Time{})
	if err != nil {
		f.Fatal(err)
	}
	secret := minted.Reveal()
	tokens, err := LoadTokens(f.Context(), &store{tokens: []molecule.Token{token}})
	if err != nil {
		f.Fatal(err)
	}
	a, err := New(Options{Tokens: tokens})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		"Authorization: Bearer " + secret,
		"authorization:bearer " + secret + "  ",
		"Authorization: Bearer  " + secret,
		"Authorization: Bearer\t" + secret,
		"Authorization: Basic " + secret,
		"Authorization: Bearer " + secret[:len(secret)-1],
		"Authorization: Bearer " + secret + "\r\nAuthorization: Bearer " + secret,
		"Authorization: Bearer " + secret + ", Bearer " + secret,
		"Authorization: Bearer " + strings.ToUpper(secret),
		"Authorization : Bearer " + secret,
		"X: y\r\n Authorization: Bearer " + secret,
		"Authorization: Bearer " + secret + "\x00",
		"Authorization: ", "Authorization: Bearer", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, lines string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET / HTTP/1.1\r\nHost: localhost\r\n" + lines + "\r\n\r\n")))
		if err != nil {
			return // it comes no further
		}
		all := r.Header["Authorization"]
		right := len(all) == 1 && len(all[0]) == len("Bearer ")+len(secret) &&
			strings.EqualFold(all[0][:len("Bearer ")], "Bearer ") && all[0][len("Bearer "):] == secret
		if got := a.HasLiveToken(r); got != right {
			t.Errorf("%q proves somebody: %t, want %t", all, got, right)
		}
	})
}
