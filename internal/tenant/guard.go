package tenant

import (
	"crypto/subtle"
	"encoding/binary"
	"net/http"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// Options says what a Guard takes as proof.
type Options struct {
	// OrgID is the organisation this daemon serves. Empty means none: every
	// request passes.
	OrgID string

	// TrustFlyReplay says that an edge writes Fly-Replay-Src; see [Trust].
	// Otherwise the header is removed before any handler sees it.
	TrustFlyReplay bool

	// LocalProof reports whether the request came over the unix socket from a
	// peer the kernel vouched for. Nil means that none does.
	LocalProof func(*http.Request) bool

	// TokenProof reports whether the request carries a live token of this
	// organisation. It is asked only when there is no organisation header at
	// all. Nil means that none does.
	TokenProof func(*http.Request) bool
}

// Guard lets requests for one organisation through. It is safe for concurrent
// use.
type Guard struct {
	on          bool
	org         padded
	trustReplay bool
	localProof  func(*http.Request) bool
	tokenProof  func(*http.Request) bool
}

// New makes a Guard. An organisation id that no edge can send is Invalid.
func New(o Options) (*Guard, error) {
	g := &Guard{on: o.OrgID != "", trustReplay: o.TrustFlyReplay, localProof: o.LocalProof, tokenProof: o.TokenProof}
	if g.on {
		if err := molecule.ValidateOrgID(o.OrgID); err != nil {
			return nil, err
		}
		g.org = pad(o.OrgID)
	}
	if g.localProof == nil {
		g.localProof = noProof
	}
	if g.tokenProof == nil {
		g.tokenProof = noProof
	}
	return g, nil
}

// noProof stands in for a kind of proof that is not configured.
func noProof(*http.Request) bool { return false }

// Wrap puts the guard in front of next.
func (g *Guard) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.trustReplay {
			// Anybody could have written it: nobody behind us may believe it.
			delete(r.Header, wire.HeaderFlyReplay)
		}
		if g.on && !open(r) && !g.admits(r) {
			NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// open reports whether a request needs no proof. The raw target is compared,
// not the parsed path: no other spelling of a path may open it.
func open(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	target, _, _ := strings.Cut(r.RequestURI, "?")
	return target == wire.PathHealth || target == wire.PathMetrics
}

// admits reports whether a request was meant for this organisation. Both
// headers are always evaluated, so that the time tells nothing about either.
func (g *Guard) admits(r *http.Request) bool {
	org, replay := r.Header[wire.HeaderOrgID], r.Header[wire.HeaderFlyReplay]
	byOrg := g.named(sole(org))
	byReplay := g.named(replayState(replay))

	if g.localProof(r) {
		// The kernel is proof enough, but a header that names another
		// organisation says that somebody talks to the wrong daemon.
		return (len(org) == 0 || byOrg == 1) && (len(replay) == 0 || byReplay == 1)
	}
	if byOrg|byReplay == 1 {
		return true
	}
	// Agents in the field send a token and no organisation. A wrong or doubled
	// header is never rescued by one.
	return len(org) == 0 && g.tokenProof(r)
}

// named returns 1 if id is the organisation's, else 0.
func (g *Guard) named(id string) int {
	p := pad(id)
	return p.equal(&g.org)
}

// sole returns the only line of a header; "", which is no id, when there are
// none or several.
func sole(lines []string) string {
	if len(lines) != 1 {
		return ""
	}
	return lines[0]
}

// maxIDBytes is the longest id an organisation can have.
const maxIDBytes = 128

// padded is an id as it is compared: the same number of bytes for all.
type padded struct {
	bytes [maxIDBytes]byte
	size  uint32
}

// pad returns id padded with zeros. One that is too long keeps a size that no
// id has.
func pad(id string) padded {
	p := padded{size: uint32(min(len(id), maxIDBytes+1))}
	copy(p.bytes[:], id)
	return p
}

// equal returns 1 if p and q are the same id, else 0, in constant time. It goes
// by words: subtle.ConstantTimeCompare goes by bytes and takes half of the time
// a guard may take.
func (p *padded) equal(q *padded) int {
	diff := uint64(p.size ^ q.size)
	for i := 0; i < maxIDBytes; i += 8 {
		diff |= binary.LittleEndian.Uint64(p.bytes[i:]) ^ binary.LittleEndian.Uint64(q.bytes[i:])
	}
	return subtle.ConstantTimeEq(int32(uint32(diff|diff>>32)), 0)
}
