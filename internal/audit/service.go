package audit

import (
	"context"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Store is where the trail is kept.
type Store interface {
	Audit(ctx context.Context, f molecule.AuditFilter) (molecule.Page[molecule.AuditRow], error)
	VerifyAudit(ctx context.Context, heads []molecule.AuditHead) (molecule.AuditVerdict, error)
	AuditHead(ctx context.Context) (molecule.AuditHead, error)
}

// maxHeads bounds how many heads are looked for at once: one an hour for ten
// years.
const maxHeads = 100_000

// Service implements [molecule.AuditService].
type Service struct{ store Store }

// NewService returns a Service.
func NewService(s Store) *Service { return &Service{store: s} }

// Audit returns a page of the trail, newest first.
func (s *Service) Audit(ctx context.Context, f molecule.AuditFilter) (molecule.Page[molecule.AuditRow], error) {
	if err := f.Validate(); err != nil {
		return molecule.Page[molecule.AuditRow]{}, err
	}
	return s.store.Audit(ctx, f)
}

// VerifyAudit walks the whole trail, and looks for each of the heads in it.
func (s *Service) VerifyAudit(ctx context.Context, heads []molecule.AuditHead) (molecule.AuditVerdict, error) {
	if len(heads) > maxHeads {
		return molecule.AuditVerdict{}, molecule.Errorf(molecule.Invalid, "%d heads are given, the most is %d", len(heads), maxHeads).
			WithHint("give the newest ones: each covers all before it")
	}
	for _, h := range heads {
		if h.ID < 1 {
			return molecule.AuditVerdict{}, molecule.Errorf(molecule.Invalid, "a head of row %d is none: rows begin at 1", h.ID)
		}
	}
	return s.store.VerifyAudit(ctx, heads)
}
