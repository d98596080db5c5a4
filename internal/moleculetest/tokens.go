package moleculetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func tokens(t *testing.T, s Services) {
	ctx := s.context(t)
	me, err := s.Tokens.WhoAmI(ctx)
	if err != nil || me.Name != "uid:0" || me.Source != "socket" || !me.Fresh {
		t.Errorf("the caller is %+v, %v", me, err)
	}
	in := molecule.NewToken{Name: "laptop", Scopes: []molecule.Scope{molecule.ScopeSchedulesRead, molecule.ScopeAgentsRead, molecule.ScopeAgentsRead}}
	if err := s.Tokens.CreateToken(ctx, &in); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(in.Token.Reveal(), "mol_op_"+in.ID+"_") || time.Until(in.ExpiresAt) < 80*24*time.Hour {
		t.Errorf("the token of id %s is good until %s and begins with %.16s", in.ID, in.ExpiresAt, in.Token.Reveal())
	}
	if diff := cmp.Diff(in.Scopes, []molecule.Scope{molecule.ScopeAgentsRead, molecule.ScopeSchedulesRead}); diff != "" {
		t.Errorf("scopes (-got +want):\n%s", diff)
	}
	again := molecule.NewToken{Name: "laptop", Scopes: in.Scopes}
	if err := s.Tokens.CreateToken(ctx, &again); molecule.CodeOf(err) != molecule.Conflict {
		t.Errorf("a name in use: got error %v", err)
	}
	for name, bad := range map[string]molecule.NewToken{
		"no scope": {Name: "a"}, "unknown scope": {Name: "a", Scopes: []molecule.Scope{"schedules:reed"}},
		"no name": {Scopes: in.Scopes}, "too long": {Name: "a", Scopes: in.Scopes, ExpiresIn: molecule.Duration(400 * 24 * time.Hour)},
		"too short": {Name: "a", Scopes: in.Scopes, ExpiresIn: molecule.Duration(time.Second)},
	} {
		if err := s.Tokens.CreateToken(ctx, &bad); molecule.CodeOf(err) != molecule.Invalid {
			t.Errorf("%s: got error %v", name, err)
		}
	}
	if _, err := s.Tokens.RevokeToken(ctx, "nobody"); molecule.CodeOf(err) != molecule.NotFound {
		t.Errorf("revoking what is not there: got error %v", err)
	}
	revoked, err := s.Tokens.RevokeToken(ctx, "laptop")
	if err != nil || revoked.ID != in.ID || revoked.RevokedAt.IsZero() {
		t.Errorf("revoked %+v, %v", revoked, err)
	}
	if _, err := s.Tokens.RevokeToken(ctx, in.ID); molecule.CodeOf(err) != molecule.Conflict {
		t.Errorf("revoking twice: got error %v", err)
	}
	all, err := s.Tokens.Tokens(ctx)
	listed := slices.IndexFunc(all, func(t molecule.Token) bool { return t.ID == in.ID })
	if err != nil || listed < 0 || all[listed].RevokedAt.IsZero() {
		t.Errorf("the tokens are %+v, %v, want %s revoked", all, err, in.ID)
	}
	page, err := s.Audit.Audit(ctx, molecule.AuditFilter{Object: "token/" + in.ID})
	if err != nil || len(page.Items) != 2 {
		t.Errorf("the audit trail tells of it %d times, %v", len(page.Items), err)
	}
}
