package api

import (
	"context"
	"net/http"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func (s *Server) auditList(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r, "principal", "action", "object", "result", "limit", "cursor")
	f := molecule.AuditFilter{
		Principal: q.text("principal"), Action: q.text("action"), Object: q.text("object"),
		Result: molecule.AuditResult(q.text("result")), Limit: q.limit(), Cursor: q.text("cursor"),
	}
	if q.err != nil {
		return q.err
	}
	page, err := s.Audit.Audit(r.Context(), f)
	if err != nil {
		return err
	}
	return encodePage(w, page)
}

// verifyRequest asks for a walk along the trail.
type verifyRequest struct {
	Heads []molecule.AuditHead `json:"heads"`
}

func (s *Server) verifyAudit(w http.ResponseWriter, r *http.Request) error {
	in, err := decode[verifyRequest](r)
	if err != nil {
		return err
	}
	verdict, err := s.Audit.VerifyAudit(r.Context(), in.Heads)
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, verdict)
}

// noteRefusal adds an attempt to the audit trail that was not allowed: one of
// somebody who is known, or with a credential that is wrong. A request without
// any is no attempt of anybody.
func (s *Server) noteRefusal(r *http.Request, rt route, err error) {
	code := molecule.CodeOf(err)
	known := molecule.PrincipalFrom(r.Context())
	presented := len(r.Header["Authorization"]) > 0
	if code != molecule.Forbidden && (code != molecule.Unauthenticated || !presented) {
		return
	}
	row := molecule.AuditRow{
		Principal: known.Name, Source: s.Auth.Source(r), Action: rt.method + " " + rt.path, Object: r.URL.Path,
		Result: molecule.AuditRefused, Reason: molecule.Excerpt(err.Error(), molecule.MaxReasonRunes),
		RequestID: molecule.RequestIDFrom(r.Context()),
	}
	// It is refused whatever becomes of its row; that there is none is for us to
	// know. The caller who hung up is no reason to forget him.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), requestLimit)
	defer cancel()
	if err := s.Refused(ctx, row); err != nil {
		s.Log.ErrorContext(ctx, "note a refusal in the audit trail", "action", row.Action, "principal", row.Principal, "err", err)
	}
}
