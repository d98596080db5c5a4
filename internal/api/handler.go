package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// requestLimit bounds the handling of one request that is no stream. It is
// longer than wire.MaxRunWait.
const requestLimit = 60 * time.Second

// chain puts everything that comes before the routes around next. The order is
// part of the security rules: nothing that could answer stands before the guard.
func (s *Server) chain(next http.Handler) http.Handler {
	for _, l := range slices.Backward(s.layers()) {
		next = l.wrap(next)
	}
	return next
}

// layer is what every request passes on its way in.
type layer struct {
	name string
	wrap func(next http.Handler) http.Handler
}

// layers returns them, the first one outermost.
func (s *Server) layers() []layer {
	return []layer{
		{"recover", s.recoverPanic},
		{"request id", requestID},
		{"security headers", securityHeaders},
		{"guard", s.Guard},
		{"limits", limits},
	}
}

// recoverPanic answers 500 for a handler that panicked and keeps serving. It is
// the one recover outside package supervised.
func (s *Server) recoverPanic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				panic(p) // net/http's own way to hang up
			}
			s.Log.ErrorContext(r.Context(), "handler panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			writeError(w, molecule.Errorf(molecule.Internal, "panic"))
		}()
		next.ServeHTTP(w, r)
	})
}

// requestID takes the caller's request id when it is a sane one, or makes one.
func requestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(wire.HeaderRequestID)
		if id == "" || len(id) > 64 || strings.ContainsFunc(id, notPrintable) {
			id = uuid.NewString()
		}
		w.Header().Set(wire.HeaderRequestID, id)
		next.ServeHTTP(w, r.WithContext(molecule.WithRequestID(r.Context(), id)))
	})
}

func notPrintable(c rune) bool { return c <= ' ' || c > '~' }

// securityHeaders sets what every answer carries.
func securityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'")
		next.ServeHTTP(w, r)
	})
}

// limits bounds the size of the body. The time is bounded by the route, which
// knows whether it is one that takes its time.
func limits(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody(r))
		next.ServeHTTP(w, r)
	})
}

type acceptedKey struct{}

// acceptedAt returns when a request came in, by the monotonic clock.
func acceptedAt(r *http.Request) time.Time {
	at, ok := r.Context().Value(acceptedKey{}).(time.Time)
	if !ok {
		return time.Now()
	}
	return at
}

// maxBody bounds the body of a request. That of an import is read piece by
// piece, behind the check of who sends it.
func maxBody(r *http.Request) int64 {
	switch p := r.URL.Path; {
	case p == wire.PathScheduleImport:
		return wire.MaxImportBytes
	case p == wire.PathSecrets || strings.HasPrefix(p, wire.PathSecrets+"/"):
		return wire.MaxSecretBytes
	}
	return wire.MaxBodyBytes
}

// router serves the table. It cleans no path and redirects nothing: whatever
// is not spelled as a route is the ordinary 404.
func (s *Server) router() http.Handler {
	table, apart := http.NewServeMux(), http.NewServeMux()
	for _, rt := range s.routes() {
		table.Handle(rt.method+" "+rt.path, s.serve(rt, manners{tell: writeError}))
	}
	for _, m := range s.More {
		mux := table
		if m.Apart {
			mux = apart
		}
		mux.Handle(m.Method+" "+m.Path, s.serve(m.row(), manners{tell: m.Fail, patient: m.Patient}))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := r.URL.EscapedPath()
		if r.Method == http.MethodConnect || !strings.HasPrefix(p, "/") || path.Clean(p) != p {
			s.NotFound(w, r)
			return
		}
		for _, mux := range []*http.ServeMux{table, apart} {
			if _, pattern := mux.Handler(r); pattern != "" {
				mux.ServeHTTP(w, r)
				return
			}
		}
		s.NotFound(w, r)
	})
}

// serve asks for the principal the route needs, runs its handler and turns an
// error into the answer, a log line and a metric.
func (s *Server) serve(rt route, m manners) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		sw := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		ctx := context.WithValue(r.Context(), acceptedKey{}, began)
		if !m.patient && !wantsStream(r) {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, requestLimit)
			defer cancel()
		}
		r = r.WithContext(ctx)
		if err := s.admit(rt, &r); err != nil {
			s.noteRefusal(r, rt, err)
			m.tell(sw, err)
		} else if err := rt.handle(sw, r); err != nil {
			s.noteRefusal(r, rt, err)
			s.logFailure(r, err)
			if !sw.wrote {
				m.tell(sw, err)
			}
		}
		if s.Observe != nil {
			s.Observe(rt.method+" "+rt.path, sw.status, time.Since(began).Seconds())
		}
	})
}

// admit puts the principal into the request, or says why there is none. On an
// open route a principal is welcome and not needed.
func (s *Server) admit(rt route, r **http.Request) error {
	p, err := s.Auth.Authenticate(*r)
	if err != nil {
		if p, err = s.welcome(rt.policy, *r, err); err != nil {
			return err
		}
	}
	*r = (*r).WithContext(molecule.WithPrincipal((*r).Context(), p))
	switch {
	case rt.policy.open, rt.policy.known, rt.policy.other != 0:
		return nil
	case !p.May(rt.policy.scope):
		return molecule.Errorf(molecule.Forbidden, "%s may not do this: it lacks the scope %s", p.Name, rt.policy.scope)
	case rt.policy.fresh && !p.Fresh:
		return molecule.Errorf(molecule.Forbidden, "%s may not do this with a token that is older than %s", p.Name, molecule.Duration(molecule.FreshFor)).
			WithHint("use the unix socket, or a token that was made just now")
	}
	return nil
}

// logFailure writes what an operator has to act on; a mistake of whoever asked
// is only worth a debug line.
func (s *Server) logFailure(r *http.Request, err error) {
	ctx := r.Context()
	log := s.Log.With("request_id", molecule.RequestIDFrom(ctx), "principal", molecule.PrincipalFrom(ctx).Name)
	if wire.Status(molecule.CodeOf(err)) >= http.StatusInternalServerError && ctx.Err() == nil {
		log.ErrorContext(ctx, "request failed", "method", r.Method, "path", r.URL.Path, "err", err)
		return
	}
	log.DebugContext(ctx, "request refused", "method", r.Method, "path", r.URL.Path, "err", err)
}

// writeError answers err in the envelope.
func writeError(w http.ResponseWriter, err error) {
	code := molecule.CodeOf(err)
	switch code {
	case molecule.Unauthenticated:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case molecule.RateLimited, molecule.Unavailable:
		w.Header().Set("Retry-After", "1")
	}
	_ = encode(w, wire.Status(code), wire.EncodeError(err)) // an envelope always encodes
}

// badBody says what is wrong with a request body.
func badBody(err error) error {
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return molecule.Errorf(molecule.TooLarge, "the request body is over %d bytes", e.Limit)
	}
	if e, ok := errors.AsType[*molecule.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return molecule.Errorf(molecule.Invalid, "field %q must be a %s, not a %s", e.Field, e.Type, e.Value)
	}
	return molecule.Errorf(molecule.Invalid, "the request body is not valid: %s", strings.TrimPrefix(err.Error(), "json: "))
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
	wrote  bool
}

// WriteHeader notes the status and passes it on.
func (w *statusWriter) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write notes that the answer has begun and passes b on.
func (w *statusWriter) Write(b []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
