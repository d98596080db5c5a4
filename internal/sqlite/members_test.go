package sqlite_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// poller stores an agent that asks for its work, below a parent if one is named.
func poller(t *testing.T, db *sqlite.DB, name, parent string) molecule.Agent {
	t.Helper()
	a := molecule.Agent{Name: name, Kind: molecule.AgentPoll, State: molecule.AgentPending, MaxConcurrent: 1, Parent: parent}
	if err := db.CreateAgent(t.Context(), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAgent_keepsItsPlaceAndItsCard(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	boss := poller(t, db, "boss", "")
	a := molecule.Agent{
		Name: "far", Kind: molecule.AgentPush, State: molecule.AgentPending, URL: "https://a.example", URLOwner: molecule.URLOwnerProvisioner,
		MaxConcurrent: 1, Role: "writer", Tier: 3, Parent: boss.ID[:18], Runtime: "langgraph",
		Card: json.RawMessage(`{"name":"far"}`), ReportedURL: "https://b.example", AwaitUntil: noon,
	}
	if err := db.CreateAgent(t.Context(), &a); err != nil {
		t.Fatal(err)
	}
	if a.Parent != "boss" || a.ParentID != boss.ID {
		t.Errorf("its parent is %q %s, want boss", a.Parent, a.ParentID)
	}
	got, err := db.Agent(t.Context(), "far")
	if diff := cmp.Diff(got, a); err != nil || diff != "" {
		t.Errorf("%v (-got +want):\n%s", err, diff)
	}
	change := func(in *molecule.Agent) error {
		in.Role, in.Tier, in.Parent, in.Runtime, in.Card, in.ReportedURL = "reader", 1, "", "", nil, ""
		in.AwaitUntil = in.RemovedAt // none
		return nil
	}
	if _, err := db.UpdateAgent(t.Context(), "far", change); err != nil {
		t.Fatal(err)
	}
	got, err = db.Agent(t.Context(), "far")
	if err != nil || got.Role != "reader" || got.Tier != 1 || got.ParentID != "" || got.Card != nil || !got.AwaitUntil.IsZero() {
		t.Errorf("changed: %+v, %v", got, err)
	}
}

func TestAgent_isNeverBelowItself(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	poller(t, db, "a", "")
	poller(t, db, "b", "a")
	poller(t, db, "c", "b")
	for _, parent := range []string{"a", "b", "c"} {
		_, err := db.UpdateAgent(t.Context(), "a", func(in *molecule.Agent) error { in.Parent = parent; return nil })
		wantCode(t, err, molecule.Invalid)
	}
	_, err := db.UpdateAgent(t.Context(), "a", func(in *molecule.Agent) error { in.Parent = "nobody"; return nil })
	wantCode(t, err, molecule.NotFound)
	if _, err := db.UpdateAgent(t.Context(), "c", func(in *molecule.Agent) error { in.Parent = "a"; return nil }); err != nil {
		t.Errorf("up by one: %v", err)
	}
}

func TestAgent_isNotTooDeep(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	above := ""
	for i := range 32 {
		name := fmt.Sprintf("a%02d", i)
		poller(t, db, name, above)
		above = name
	}
	a := molecule.Agent{Name: "deep", Kind: molecule.AgentPoll, State: molecule.AgentPending, MaxConcurrent: 1, Parent: above}
	wantCode(t, db.CreateAgent(t.Context(), &a), molecule.Invalid)
}

func TestPeers_areSiblingsChildrenAndParent(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	ids := map[string]string{}
	for _, a := range [][2]string{{"root", ""}, {"other", ""}, {"left", "root"}, {"right", "root"}, {"a", "left"}, {"b", "left"}, {"c", "right"}, {"deep", "a"}} {
		ids[a[0]] = poller(t, db, a[0], a[1]).ID
	}
	if err := db.RemoveAgent(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"root": {"left", "other", "right"}, "left": {"a", "right", "root"}, "a": {"deep", "left"}, "deep": {"a"},
	} {
		peers, err := db.Peers(t.Context(), ids[name])
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range peers {
			got = append(got, p.Name)
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("peers of %s (-got +want):\n%s", name, diff)
		}
	}
	line, err := db.Lineage(t.Context(), ids["deep"])
	want := molecule.Lineage{ID: ids["deep"], Ancestors: []string{ids["a"], ids["left"], ids["root"]}}
	if diff := cmp.Diff(line, want); err != nil || diff != "" {
		t.Errorf("lineage %v (-got +want):\n%s", err, diff)
	}
	_, err = db.Lineage(t.Context(), "0199aaaa-0000-7000-8000-000000000001")
	wantCode(t, err, molecule.NotFound)
}

func TestRemoveAgent_revokesItsTokensWithIt(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	a := molecule.Agent{Name: "a", Kind: molecule.AgentPoll, State: molecule.AgentPending, MaxConcurrent: 1}
	own := molecule.Token{ID: "own00000", Name: "a", Kind: molecule.TokenAgent, Scopes: []molecule.Scope{molecule.ScopeAgentSelf}}
	if err := db.CreateAgent(t.Context(), &a, own); err != nil {
		t.Fatal(err)
	}
	operators := molecule.Token{ID: "oper0000", Name: "op", Kind: molecule.TokenOperator, Scopes: []molecule.Scope{molecule.ScopeAdmin}}
	if err := db.CreateToken(t.Context(), &operators); err != nil {
		t.Fatal(err)
	}
	if err := db.RemoveAgent(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	tokens, err := db.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range tokens {
		if revoked := !token.RevokedAt.IsZero(); revoked != (token.AgentID == a.ID) {
			t.Errorf("token %s of agent %q: revoked %v", token.ID, token.AgentID, revoked)
		}
	}
	gone, err := db.Member(t.Context(), a.ID)
	if err != nil || gone.RemovedAt.IsZero() {
		t.Errorf("who was removed: %+v, %v", gone, err)
	}
}

func TestRemoveAgent_refusesWhoseChildrenWouldBeRoots(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	poller(t, db, "boss", "")
	poller(t, db, "a", "boss")
	wantCode(t, db.RemoveAgent(t.Context(), "boss"), molecule.Conflict)
	if err := db.RemoveAgent(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := db.RemoveAgent(t.Context(), "boss"); err != nil {
		t.Errorf("without children: %v", err)
	}
}
