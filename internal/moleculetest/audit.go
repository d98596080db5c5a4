package moleculetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func auditTrail(t *testing.T, s Services) {
	ctx := s.context(t)
	if v, err := s.Audit.VerifyAudit(ctx, nil); err != nil || !v.Sound || v.Rows != 0 {
		t.Fatalf("a trail without rows is %+v, %v", v, err)
	}
	a := molecule.Agent{Name: "echo", Exec: &molecule.Exec{Command: "cat"}}
	if err := s.Agents.CreateAgent(ctx, &a); err != nil {
		t.Fatal(err)
	}
	before, err := s.Audit.VerifyAudit(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Agents.RemoveAgent(ctx, "echo"); err != nil {
		t.Fatal(err)
	}
	page, err := s.Audit.Audit(ctx, molecule.AuditFilter{Object: "agent/echo"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range page.Items {
		got = append(got, r.Action)
		if r.Principal != "uid:0" || r.Source != "socket" || r.Result != molecule.AuditDone {
			t.Errorf("row %+v, want one of uid:0 on the socket", r)
		}
	}
	if diff := cmp.Diff(got, []string{molecule.EventAgentRemoved, molecule.EventAgentCreated}); diff != "" {
		t.Errorf("actions (-got +want):\n%s", diff)
	}
	v, err := s.Audit.VerifyAudit(ctx, []molecule.AuditHead{before.Head})
	if err != nil || !v.Sound || v.Head.ID <= before.Head.ID {
		t.Errorf("got %+v, %v, want a sound trail that goes on behind %+v", v, err, before.Head)
	}
	elsewhere := before.Head
	elsewhere.Hash[0]++
	if v, err := s.Audit.VerifyAudit(ctx, []molecule.AuditHead{elsewhere}); err != nil || v.Sound || v.BadID != elsewhere.ID {
		t.Errorf("with a head that is not in it: %+v, %v", v, err)
	}
	if _, err := s.Audit.Audit(ctx, molecule.AuditFilter{Result: "denied"}); molecule.CodeOf(err) != molecule.Invalid {
		t.Errorf("a result that is none: got error %v", err)
	}
}
