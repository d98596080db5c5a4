package registry_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/auth"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
	"github.com/molecule-ai/molecli/internal/registry"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

const (
	someID   = "0199aaaa-0000-7000-8000-000000000001"
	otherID  = "0199aaaa-0000-7000-8000-0000000000ff"
	reserved = "0199aaaa-0000-7000-8000-000000000000"
	farURL   = "https://agent.example.com/a2a"
)

// door is a registry, and who has come to it.
type door struct {
	*registry.Service
	t      *testing.T
	db     *sqlite.DB
	tokens tokens
}

func newDoor(t *testing.T) door {
	t.Helper()
	guard, err := netguard.New(netguard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := door{t: t, db: sqlitetest.Open(t), tokens: newTokens()}
	d.Service = registry.New(registry.Options{
		Store: d.db, Addresses: guard, Tokens: d.tokens, Resolve: resolve, Reserved: reserved,
		Monitor: registry.NewMonitor(registry.MonitorOptions{}),
	})
	return d
}

// bearing is a context of whoever presents a token; nobody when it is zero or
// no longer good.
func (d door) bearing(token molecule.Secret) context.Context {
	t, ok := d.tokens.Check(token.Reveal(), molecule.Now())
	if !ok {
		return d.t.Context()
	}
	return molecule.WithPrincipal(d.t.Context(), molecule.Principal{
		Name: "token:" + t.ID, Scopes: t.Scopes, TokenID: t.ID, AgentID: t.AgentID,
	})
}

// enrolment makes a token for a name or a role.
func (d door) enrolment(name, role string) molecule.Secret {
	d.t.Helper()
	e := molecule.Enrolment{Name: name, Role: role}
	if err := d.CreateEnrolment(admin(d.t), &e); err != nil {
		d.t.Fatal(err)
	}
	return e.Token.Secret
}

// polls is the registration of an agent that asks for its work.
func polls(id, name string) molecule.Registration {
	return molecule.Registration{AgentID: id, Kind: molecule.AgentPoll, Card: json.RawMessage(`{"name":"` + name + `"}`)}
}

func pushes(id, url string) molecule.Registration {
	return molecule.Registration{AgentID: id, Kind: molecule.AgentPush, URL: url, Card: json.RawMessage(`{"name":"far"}`)}
}

// enter registers and returns the token, and fails the test when the code is
// not the wanted one.
func (d door) enter(ctx context.Context, in molecule.Registration, want molecule.Code) molecule.Secret {
	d.t.Helper()
	secret, err := d.Register(ctx, in)
	if code := molecule.CodeOf(err); (err != nil || want != "") && code != want {
		d.t.Fatalf("registration ends with %v, want %q", err, want)
	}
	return secret
}

// stored returns the agent of an id.
func (d door) stored(id string) molecule.Agent {
	d.t.Helper()
	a, err := d.Member(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	return a
}

func TestRegister_nobodyOwnsAnIDByBeingFirst(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.enter(t.Context(), polls(someID, "a"), molecule.Unauthenticated)
	d.enter(admin(t), polls(someID, "a"), molecule.Forbidden)
	if _, err := d.Member(t.Context(), someID); molecule.CodeOf(err) != molecule.NotFound {
		t.Errorf("it was stored all the same: %v", err)
	}
}

func TestRegister_anEnrolmentIsGoodOnce(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	leave := d.bearing(d.enrolment("helper", ""))
	own := d.enter(leave, polls(someID, "whatever"), "")
	if a := d.stored(someID); a.Name != "helper" || a.Kind != molecule.AgentPoll || a.URLOwner != molecule.URLOwnerAgent {
		t.Errorf("stored as %+v", a)
	}
	if who := molecule.PrincipalFrom(d.bearing(own)); who.AgentID != someID || !who.May(molecule.ScopeAgentSelf) {
		t.Errorf("its token is of %+v", who)
	}
	d.enter(leave, polls(otherID, "b"), molecule.Forbidden)
	d.enter(leave, polls(someID, "changed"), molecule.Forbidden)
}

func TestRegister_anEnrolmentEndsByItself(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	late, secret, err := auth.Mint(molecule.TokenEnrolment, "enrolment", []molecule.Scope{molecule.ScopeAgentEnrol},
		molecule.Now().Add(-2*time.Hour), molecule.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	late.EnrolName = "helper"
	if err := d.db.CreateToken(t.Context(), &late); err != nil {
		t.Fatal(err)
	}
	d.tokens.Put(late)
	d.enter(d.bearing(secret), polls(someID, "a"), molecule.Unauthenticated)
	// Also for one that passed the door just before.
	ctx := molecule.WithPrincipal(t.Context(), molecule.Principal{Name: "token:" + late.ID, TokenID: late.ID, Scopes: late.Scopes})
	d.enter(ctx, polls(someID, "a"), molecule.Forbidden)
}

func TestRegister_aRoleTakesTheNameOfTheCard(t *testing.T) {
	t.Parallel()
	tests := []struct{ card, want string }{
		{"scribe", "scribe"},
		{"The Scribe of Acme", "The-Scribe-of-Acme"},
		{"taken", "taken-000001"},
		{"", "agent"},
		{"日本", "agent"},
		{"../../etc", "etc"},
		{"0199aaaa-0000-7000-8000-000000000009", "0199aaaa-0000-7000-8000-000000000009-000001"},
	}
	for _, tt := range tests {
		t.Run(tt.card, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t)
			create(t, d.Service, admin(t), command("taken", "cat"))
			d.enter(d.bearing(d.enrolment("", "writer")), polls(someID, tt.card), "")
			if a := d.stored(someID); a.Name != tt.want || a.Role != "writer" {
				t.Errorf("it is %q, a %q, want %q, a writer", a.Name, a.Role, tt.want)
			}
		})
	}
}

func TestRegister_aNameThatIsTakenIsRefused(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	leave := d.bearing(d.enrolment("taken", ""))
	create(t, d.Service, admin(t), command("taken", "cat"))
	d.enter(leave, polls(someID, "a"), molecule.Conflict)
	if who := molecule.PrincipalFrom(leave); who.TokenID == "" {
		t.Error("what was refused used the token up")
	}
}

func TestRegister_aKnownAgent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		by   func(d door, own molecule.Secret) context.Context
		in   molecule.Registration
		code molecule.Code
		card string // afterwards
	}{
		{"again, without a token", nobody, polls(someID, "a"), "", `{"name":"a"}`},
		{"again, with blanks and order aside", nobody, molecule.Registration{
			AgentID: someID, Kind: molecule.AgentPoll, Card: json.RawMessage(` { "name" : "a" }`)}, "", `{"name":"a"}`},
		{"a new card without a token", nobody, polls(someID, "b"), molecule.Unauthenticated, `{"name":"a"}`},
		{"a URL without a token", nobody, pushes(someID, farURL), molecule.Unauthenticated, `{"name":"a"}`},
		{"a new card with its token", theAgent, polls(someID, "b"), "", `{"name":"b"}`},
		{"again, with its token", theAgent, polls(someID, "a"), "", `{"name":"a"}`},
		{"a new card with another agent's token", another, polls(someID, "b"), molecule.Forbidden, `{"name":"a"}`},
		{"again, with another agent's token", another, polls(someID, "a"), molecule.Forbidden, `{"name":"a"}`},
		{"a new card by an operator", func(d door, _ molecule.Secret) context.Context { return operator(d.t) }, polls(someID, "b"), "", `{"name":"b"}`},
		{"a new card by who may only read", func(d door, _ molecule.Secret) context.Context {
			return molecule.WithPrincipal(d.t.Context(), molecule.Principal{Name: "token:x", Scopes: []molecule.Scope{molecule.ScopeAgentsRead}})
		}, polls(someID, "b"), molecule.Forbidden, `{"name":"a"}`},
		{"with an enrolment for another name", func(d door, _ molecule.Secret) context.Context {
			return d.bearing(d.enrolment("elsewhere", ""))
		}, polls(someID, "b"), molecule.Forbidden, `{"name":"a"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t)
			own := d.enter(d.bearing(d.enrolment("a", "")), polls(someID, "a"), "")
			if again := d.enter(tt.by(d, own), tt.in, tt.code); !again.IsZero() {
				t.Error("it was given a token")
			}
			if got := string(d.stored(someID).Card); got != tt.card {
				t.Errorf("its card is %s, want %s", got, tt.card)
			}
			if molecule.PrincipalFrom(d.bearing(own)).AgentID != someID {
				t.Error("its token is no longer good")
			}
		})
	}
}

func nobody(d door, _ molecule.Secret) context.Context     { return d.t.Context() }
func theAgent(d door, own molecule.Secret) context.Context { return d.bearing(own) }
func another(d door, _ molecule.Secret) context.Context {
	return d.bearing(d.enter(d.bearing(d.enrolment("other", "")), polls(otherID, "other"), ""))
}

func TestRegister_aNewEnrolmentReplacesALostToken(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	lost := d.enter(d.bearing(d.enrolment("a", "")), polls(someID, "a"), "")
	fresh := d.enter(d.bearing(d.enrolment("a", "")), polls(someID, "a"), "")
	if fresh.IsZero() || molecule.PrincipalFrom(d.bearing(fresh)).AgentID != someID {
		t.Error("the new token is not the agent's")
	}
	if molecule.PrincipalFrom(d.bearing(lost)).AgentID != "" {
		t.Error("the lost token is still good")
	}
	tokens, err := d.db.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	live := 0
	for _, token := range tokens {
		if token.Live(molecule.Now()) {
			live++
		}
	}
	if live != 1 {
		t.Errorf("%d tokens in the store are good, want 1", live)
	}
}

func TestRegister_anOpenWindowGivesTheTokenOnce(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	a := create(t, d.Service, admin(t), molecule.Agent{Name: "a", Kind: molecule.AgentPoll, Await: molecule.Duration(time.Minute)})
	if !a.Token.IsZero() || a.AwaitUntil.IsZero() {
		t.Fatalf("created with %+v", a)
	}
	d.enter(t.Context(), polls(otherID, "a"), molecule.Unauthenticated) // the window is for one id
	own := d.enter(t.Context(), polls(a.ID, "a"), "")
	if molecule.PrincipalFrom(d.bearing(own)).AgentID != a.ID {
		t.Error("the token is not the agent's")
	}
	if again := d.enter(t.Context(), polls(a.ID, "a"), ""); !again.IsZero() {
		t.Error("the second registration was given a token too")
	}
	d.enter(t.Context(), polls(a.ID, "b"), molecule.Unauthenticated)
	page, err := d.db.Audit(t.Context(), molecule.AuditFilter{Principal: "registration"})
	if err != nil || len(page.Items) != 1 || page.Items[0].Object != "agent/a" {
		t.Errorf("the audit trail holds %+v, %v", page.Items, err)
	}
}

func TestRegister_aClosedWindowGivesNothing(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	a := create(t, d.Service, admin(t), molecule.Agent{Name: "a", Kind: molecule.AgentPoll, Await: molecule.Duration(time.Millisecond)})
	past := func(in *molecule.Agent) error { in.AwaitUntil = molecule.Now().Add(-time.Second); return nil }
	if _, err := d.db.UpdateAgent(t.Context(), "a", past); err != nil {
		t.Fatal(err)
	}
	d.enter(t.Context(), polls(a.ID, "a"), molecule.Unauthenticated)
}

func TestRegister_theOperatorsURLIsLeftAlone(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	a := create(t, d.Service, admin(t), push("a", "http://127.0.0.1:8080"))
	d.enter(d.bearing(a.Token.Secret), pushes(a.ID, farURL), "")
	got := d.stored(a.ID)
	if got.URL != "http://127.0.0.1:8080" || got.ReportedURL != farURL || got.URLOwner != molecule.URLOwnerOperator {
		t.Errorf("stored %q of %q, reported %q", got.URL, got.URLOwner, got.ReportedURL)
	}
	d.enter(d.bearing(a.Token.Secret), pushes(a.ID, "http://127.0.0.1:9"), molecule.UnsafeURL) // validated all the same
	polled := create(t, d.Service, admin(t), molecule.Agent{Name: "p", Kind: molecule.AgentPoll})
	d.enter(d.bearing(polled.Token.Secret), pushes(polled.ID, farURL), "")
	if got := d.stored(polled.ID); got.Kind != molecule.AgentPoll || got.ReportedURL != farURL {
		t.Errorf("what an operator made a poll agent became %+v", got)
	}
}

func TestRegister_anAgentMayMoveItsOwnURL(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	own := d.enter(d.bearing(d.enrolment("a", "")), pushes(someID, farURL), "")
	d.enter(d.bearing(own), pushes(someID, "https://b.example/"), "")
	if got := d.stored(someID); got.URL != "https://b.example/" || got.ReportedURL != "" || got.State != molecule.AgentPending {
		t.Errorf("moved to %+v", got)
	}
	d.enter(d.bearing(own), polls(someID, "a"), "")
	if got := d.stored(someID); got.Kind != molecule.AgentPoll || got.URL != "" {
		t.Errorf("it asks for its work now, and is stored as %+v", got)
	}
}

func TestRegister_refusesWhatNoAgentMayBe(t *testing.T) {
	t.Parallel()
	card := func(text string) molecule.Registration {
		return molecule.Registration{AgentID: someID, Kind: molecule.AgentPoll, Card: json.RawMessage(text)}
	}
	tests := []struct {
		name string
		in   molecule.Registration
		code molecule.Code
	}{
		{"no id", polls("", "a"), molecule.Invalid},
		{"a name for an id", polls("helper", "a"), molecule.Invalid},
		{"the reply address", polls(reserved, "a"), molecule.Invalid},
		{"a command", molecule.Registration{AgentID: someID, Kind: molecule.AgentExec, Card: json.RawMessage(`{}`)}, molecule.Invalid},
		{"push without a URL", pushes(someID, ""), molecule.Invalid},
		{"loopback", pushes(someID, "http://127.0.0.1:9000/"), molecule.UnsafeURL},
		{"metadata", pushes(someID, "http://169.254.169.254/"), molecule.UnsafeURL},
		{"no URL at all", pushes(someID, "agent"), molecule.UnsafeURL},
		{"no card", card(``), molecule.Invalid},
		{"null for a card", card(`null`), molecule.Invalid},
		{"a list for a card", card(`[]`), molecule.Invalid},
		{"a card that ends early", card(`{"a":`), molecule.Invalid},
		{"a card that sends others to loopback", card(`{"url":"http://127.0.0.1:1/"}`), molecule.UnsafeURL},
		{"a card whose interface is metadata", card(`{"supportedInterfaces":[{"url":"http://metadata.google.internal/"}]}`), molecule.UnsafeURL},
		{"a card whose older interface is link-local", card(`{"additionalInterfaces":[{"url":"http://[fe80::1]/"}]}`), molecule.UnsafeURL},
		{"a card whose url is a number", card(`{"url":7}`), molecule.Invalid},
		{"a card that nobody can call", card(`{"url":"remote://no-inbound"}`), ""},
		{"a card of nothing", card(`{}`), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t)
			leave := d.enrolment("a", "")
			d.enter(d.bearing(leave), tt.in, tt.code)
			if tt.code != "" && molecule.PrincipalFrom(d.bearing(leave)).TokenID == "" {
				t.Error("what was refused used the token up")
			}
		})
	}
}

func TestRegister_aCommandIsNoAgentThatComes(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	a := create(t, d.Service, admin(t), command("a", "cat"))
	if !a.Token.IsZero() {
		t.Error("a command was given a token")
	}
	d.enter(t.Context(), polls(a.ID, "a"), molecule.Unauthenticated)
	d.enter(admin(t), polls(a.ID, "a"), molecule.Invalid)
	if diff := cmp.Diff(d.stored(a.ID).Kind, molecule.AgentExec); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}

func TestRemoveAgent_endsItsTokens(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	own := d.enter(d.bearing(d.enrolment("a", "")), polls(someID, "a"), "")
	if err := d.RemoveAgent(admin(t), "a"); err != nil {
		t.Fatal(err)
	}
	if molecule.PrincipalFrom(d.bearing(own)).AgentID != "" {
		t.Error("its token is still good")
	}
	d.enter(t.Context(), polls(someID, "a"), molecule.Unauthenticated)
	d.enter(d.bearing(d.enrolment("a", "")), polls(someID, "a"), molecule.Gone)
}

func TestSetCard_holdsACardToTheSameRules(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.enter(d.bearing(d.enrolment("a", "")), polls(someID, "a"), "")
	if err := d.SetCard(t.Context(), someID, json.RawMessage(`{"url":"http://127.0.0.1/"}`)); molecule.CodeOf(err) != molecule.UnsafeURL {
		t.Errorf("a card of loopback: %v", err)
	}
	if err := d.SetCard(t.Context(), otherID, json.RawMessage(`{}`)); molecule.CodeOf(err) != molecule.NotFound {
		t.Errorf("a card of nobody: %v", err)
	}
	if err := d.SetCard(t.Context(), someID, json.RawMessage(`{"name":"b"}`)); err != nil || string(d.stored(someID).Card) != `{"name":"b"}` {
		t.Errorf("a new card: %v, stored %s", err, d.stored(someID).Card)
	}
}

func TestCreateEnrolment_isBoundAndEnds(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	e := molecule.Enrolment{Name: "a"}
	if err := d.CreateEnrolment(admin(t), &e); err != nil {
		t.Fatal(err)
	}
	page, err := d.db.Audit(t.Context(), molecule.AuditFilter{Action: molecule.EventEnrolmentCreated})
	if err != nil || len(page.Items) != 1 || page.Items[0].Principal != "uid:0" {
		t.Errorf("the audit trail holds %+v, %v", page.Items, err)
	}
	if left := time.Until(e.ExpiresAt); left <= 0 || left > molecule.DefaultEnrolment || e.Token.IsZero() || e.ID == "" {
		t.Errorf("made %+v", e)
	}
	for _, bad := range []molecule.Enrolment{{}, {Name: "a", Role: "b"}, {Name: "a", ExpiresIn: molecule.Duration(2 * time.Hour)}} {
		if err := d.CreateEnrolment(admin(t), &bad); molecule.CodeOf(err) != molecule.Invalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestCreateEnrolment_isNotForALocalCommand(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	command := molecule.Agent{Name: "shell", Exec: &molecule.Exec{Command: "cat"}}
	if err := d.CreateAgent(admin(t), &command); err != nil {
		t.Fatal(err)
	}
	if err := d.CreateEnrolment(admin(t), &molecule.Enrolment{Name: "shell"}); molecule.CodeOf(err) != molecule.Conflict {
		t.Errorf("leave to register as a command: %v", err)
	}
	for _, name := range []string{"she", command.ID[:8], "helper"} { // a beginning is no name
		if err := d.CreateEnrolment(admin(t), &molecule.Enrolment{Name: name}); err != nil {
			t.Errorf("leave to register as %s: %v", name, err)
		}
	}
}
