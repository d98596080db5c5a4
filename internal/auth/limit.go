package auth

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	// A failure is a credential that was presented and refused; so many a minute
	// are answered at once.
	failuresAllowed = 10
	failurePause    = time.Second // before the answer to any further one

	principalRate, principalBurst = 200, 2000
	anonymousRate, anonymousBurst = 50, 500

	// maxKept bounds each half of a table of limiters. The older half is dropped
	// when the newer one is full: whoever is forgotten begins anew.
	maxKept = 1 << 16
)

// limits slows down who asks too much. A credential that is right is served
// whatever was presented before: tokens have 256 bits, and a lock would be a
// weapon.
type limits struct {
	failures, principals, anonymous buckets
}

func newLimits() *limits {
	return &limits{
		failures:   buckets{limit: rate.Every(time.Minute / failuresAllowed), burst: failuresAllowed},
		principals: buckets{limit: principalRate, burst: principalBurst},
		anonymous:  buckets{limit: anonymousRate, burst: anonymousBurst},
	}
}

// failed is told of a credential from an address that was refused with err, and
// returns what to answer. From the address that has failed too often the answer
// takes longer.
func (l *limits) failed(ctx context.Context, address string, err error) error {
	if l.failures.allow(address, time.Now()) {
		return err
	}
	if serr := molecule.Sleep(ctx, failurePause); serr != nil {
		return serr
	}
	return molecule.Errorf(molecule.RateLimited, "too many wrong tokens from this address").
		WithHint("a right one is answered at once")
}

// admit returns an error for a principal that asks too often. Agents in the
// field take any 4xx for final, so that one of them is told that we are busy.
func (l *limits) admit(p molecule.Principal) error {
	if l.principals.allow(p.Name, time.Now()) {
		return nil
	}
	code := molecule.RateLimited
	if p.AgentID != "" {
		code = molecule.Unavailable
	}
	return molecule.Errorf(code, "%s asks more than %d times a second", p.Name, principalRate).WithHint("wait a second")
}

// admitNobody is admit for whoever asks without a principal on an open route.
func (l *limits) admitNobody(address string) error {
	if l.anonymous.allow(address, time.Now()) {
		return nil
	}
	return molecule.Errorf(molecule.RateLimited, "this address asks more than %d times a second", anonymousRate).WithHint("wait a second")
}

// buckets is a limiter for each key, of bounded number.
type buckets struct {
	limit rate.Limit
	burst int

	mu           sync.Mutex
	newer, older map[string]*rate.Limiter
}

// allow reports whether one more is allowed to key now.
func (b *buckets) allow(key string, now time.Time) bool {
	b.mu.Lock()
	l := b.newer[key]
	if l == nil {
		if l = b.older[key]; l == nil {
			l = rate.NewLimiter(b.limit, b.burst)
		}
		if len(b.newer) >= maxKept || b.newer == nil {
			b.older, b.newer = b.newer, make(map[string]*rate.Limiter)
		}
		b.newer[key] = l
	}
	b.mu.Unlock()
	return l.AllowN(now, 1)
}
