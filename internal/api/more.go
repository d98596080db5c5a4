package api

import (
	"net/http"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Admission says whom a route of another face lets in. That face then judges
// whom of them it serves, and what.
type Admission int

// The admissions. The zero Admission lets nobody in.
const (
	AdmitKnown      Admission = iota + 1 // whoever proved who they are
	AdmitDeparted                        // and agents that were removed, to be told so
	AdmitRegistrant                      // and whoever presents nothing at all
)

// Route is a row of the table that another face serves. What every request goes
// through, it goes through as well; how an error is told is its own.
type Route struct {
	Method string
	Path   string
	Admit  Admission
	// Handle is told when the request was accepted, by the monotonic clock.
	Handle func(w http.ResponseWriter, r *http.Request, accepted time.Time) error
	Fail   func(w http.ResponseWriter, err error)
	// Patient is a route whose answer may take its time.
	Patient bool
	// Apart is a route whose path overlaps that of another, which then goes first.
	Apart bool
}

// row is the route as a row of the table.
func (m Route) row() route {
	return route{m.Method, m.Path, policy{other: m.Admit}, func(w http.ResponseWriter, r *http.Request) error {
		return m.Handle(w, r, acceptedAt(r))
	}}
}

// manners is what differs between faces: how errors are told, and whether an
// answer may take its time.
type manners struct {
	tell    func(w http.ResponseWriter, err error)
	patient bool
}

// welcome returns the principal of a request that proved none, where the policy
// of its route has one for it; else err, which says why there is none.
func (s *Server) welcome(p policy, r *http.Request, err error) (molecule.Principal, error) {
	nobody, code := molecule.Principal{Source: s.Auth.Source(r)}, molecule.CodeOf(err)
	switch {
	case code == molecule.Unauthenticated && (p.open || p.other == AdmitRegistrant && len(r.Header["Authorization"]) == 0):
		return nobody, s.Auth.AdmitNobody(r)
	case p.other == AdmitDeparted && (code == molecule.Unauthenticated || code == molecule.RateLimited):
		if gone, ok := s.Auth.Departed(r); ok {
			return gone, nil
		}
	}
	return nobody, err
}
