package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Authenticator says who is asking, or why nobody may.
type Authenticator interface {
	Authenticate(r *http.Request) (molecule.Principal, error)
	// AdmitNobody returns an error for a request without a principal from where
	// too many come.
	AdmitNobody(r *http.Request) error
	// Source says where a request comes from: socket, or an address.
	Source(r *http.Request) string
	// Departed returns the principal of an agent that was removed and still
	// presents its token. It may do nothing.
	Departed(r *http.Request) (molecule.Principal, bool)
}

// Deps is everything the API serves.
type Deps struct {
	Agents     molecule.AgentService
	Enrolments molecule.EnrolmentService
	Schedules  molecule.ScheduleService
	Calendars  molecule.CalendarService
	Runs       molecule.RunService
	Events     molecule.EventService
	Incidents  molecule.IncidentService
	Audit      molecule.AuditService
	Tokens     molecule.TokenService
	Secrets    molecule.SecretService
	Rotations  molecule.RotationService
	Liveness   molecule.LivenessService
	Status     molecule.StatusService

	// Ready names the critical subsystems that keep the daemon from being
	// ready; none means ready. It answers from memory.
	Ready   func() []string
	Metrics http.Handler
	// TokensChanged returns what is closed when a token was added or revoked:
	// whoever is served for long is then asked again who he is. nil: never.
	TokensChanged func() <-chan struct{}
	// Refused keeps an attempt that was not allowed in the audit trail.
	Refused func(ctx context.Context, row molecule.AuditRow) error
	Auth    Authenticator
	// More are the routes of other faces, which stand in the same table.
	More []Route
	// Guard stands before the router; see package tenant.
	Guard func(http.Handler) http.Handler
	// NotFound is the ordinary 404, the same one the guard answers.
	NotFound http.HandlerFunc
	// Observe is told of every finished request, for the metrics.
	Observe func(route string, status int, seconds float64)
	Log     *slog.Logger
}

// Server answers requests with the services of its Deps.
type Server struct{ Deps }

// New returns the handler of the whole face: everything before the routes, in
// its fixed order, and the routes.
func New(d Deps) http.Handler {
	s := &Server{Deps: d}
	return s.chain(s.router())
}

// decode reads the body as one JSON value without unknown fields.
func decode[T any](r *http.Request) (T, error) {
	var v T
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, badBody(err)
	}
	if dec.More() {
		return v, molecule.Errorf(molecule.Invalid, "the request body holds more than one JSON value")
	}
	return v, nil
}

// encode writes v as the answer. A reader that is gone is nobody's error.
func encode(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the reader may be gone
	return nil
}
