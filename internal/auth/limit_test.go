package auth

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// call is a request over TCP from an address with a token.
func call(t *testing.T, from, token string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/v1/agents", nil)
	r = r.WithContext(context.WithValue(t.Context(), originKey{}, origin{}))
	r.RemoteAddr = from + ":4711"
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

func TestAuthenticate_slowsWrongTokensAndNeverARightOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		kept, secret := mint(t)
		tokens := &Tokens{}
		tokens.Put(kept)
		a := newAuthenticator(t, Options{Tokens: tokens})
		_, wrong := mint(t)
		took := func(r *http.Request) (time.Duration, molecule.Code) {
			began := time.Now()
			_, err := a.Authenticate(r)
			if err == nil {
				return time.Since(began), ""
			}
			return time.Since(began), molecule.CodeOf(err)
		}
		for i := range failuresAllowed {
			if d, code := took(call(t, "10.0.0.1", wrong)); d != 0 || code != molecule.Unauthenticated {
				t.Errorf("wrong token %d took %s and got %s", i+1, d, code)
			}
		}
		for range 3 {
			if d, code := took(call(t, "10.0.0.1", wrong)); d != time.Second || code != molecule.RateLimited {
				t.Errorf("the next wrong token took %s and got %s", d, code)
			}
		}
		if d, code := took(call(t, "10.0.0.1", secret)); d != 0 || code != "" {
			t.Errorf("a right token took %s and got %s", d, code)
		}
		if d, code := took(call(t, "10.0.0.1", "")); d != 0 || code != molecule.Unauthenticated {
			t.Errorf("no token at all took %s and got %s", d, code)
		}
		if d, code := took(call(t, "10.0.0.2", wrong)); d != 0 || code != molecule.Unauthenticated {
			t.Errorf("a wrong token from elsewhere took %s and got %s", d, code)
		}
		time.Sleep(time.Minute)
		if d, code := took(call(t, "10.0.0.1", wrong)); d != 0 || code != molecule.Unauthenticated {
			t.Errorf("a minute later a wrong token took %s and got %s", d, code)
		}
	})
}

func TestAuthenticate_boundsWhatOnePrincipalAsks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, want := range map[string]molecule.Code{"": molecule.RateLimited, "an-agent": molecule.Unavailable} {
			kept, secret := mint(t)
			kept.AgentID = name
			tokens := &Tokens{}
			tokens.Put(kept)
			a := newAuthenticator(t, Options{Tokens: tokens})
			served := 0
			for range principalBurst + 10 {
				_, err := a.Authenticate(call(t, "10.0.0.1", secret))
				if err == nil {
					served++
				} else if molecule.CodeOf(err) != want {
					t.Fatalf("got error %v, want %s", err, want)
				}
			}
			if served != principalBurst {
				t.Errorf("%d requests were served at once, want %d", served, principalBurst)
			}
			time.Sleep(time.Second)
			served = 0
			for range principalRate + 10 {
				if _, err := a.Authenticate(call(t, "10.0.0.1", secret)); err == nil {
					served++
				}
			}
			if served != principalRate {
				t.Errorf("%d requests were served a second later, want %d", served, principalRate)
			}
		}
	})
}

func TestAdmitNobody_boundsOneAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimits()
		served := 0
		for range anonymousBurst + 10 {
			if l.admitNobody("10.0.0.1") == nil {
				served++
			}
		}
		if err := l.admitNobody("10.0.0.2"); served != anonymousBurst || err != nil {
			t.Errorf("%d were served, want %d; another address got %v", served, anonymousBurst, err)
		}
	})
}

func TestBuckets_areBoundedInNumber(t *testing.T) {
	t.Parallel()
	b := buckets{limit: 1, burst: 1}
	now := time.Now()
	if !b.allow("first", now) || b.allow("first", now) {
		t.Fatal("a bucket of one does not hold one")
	}
	for i := range maxKept {
		b.allow(strconv.Itoa(i), now)
	}
	if b.allow("first", now) {
		t.Error("a full table forgot who was there a moment ago")
	}
	for i := range 3 * maxKept {
		b.allow("other "+strconv.Itoa(i), now)
	}
	if n := len(b.newer) + len(b.older); n > 2*maxKept+1 {
		t.Errorf("%d limiters are kept, the most is %d", n, 2*maxKept)
	}
}
