package auth

import (
	"net/http"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// agentToken puts a token of an agent among those that are known.
func agentToken(t *testing.T, ts *Tokens, agentID string) (molecule.Token, string) {
	t.Helper()
	token, secret, err := Mint(molecule.TokenAgent, "helper", []molecule.Scope{molecule.ScopeAgentSelf}, noon, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	token.AgentID = agentID
	ts.Put(token)
	return token, secret.Reveal()
}

func TestAuthenticate_namesTheAgentOfAToken(t *testing.T) {
	t.Parallel()
	ts := new(Tokens)
	_, own := agentToken(t, ts, "a")
	ask := serve(t, listenTCP(t), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := newAuthenticator(t, Options{Tokens: ts}).Authenticate(r)
		if err != nil || p.AgentID != "a" || !p.May(molecule.ScopeAgentSelf) || p.May(molecule.ScopeAgentsRead) {
			t.Errorf("it is %+v, %v", p, err)
		}
	}))
	ask("127.0.0.1", bearer(own))
}

func TestRevokeAgent_endsEveryTokenOfOneAgent(t *testing.T) {
	t.Parallel()
	ts := new(Tokens)
	_, one := agentToken(t, ts, "a")
	_, two := agentToken(t, ts, "a")
	_, other := agentToken(t, ts, "b")
	operator, theirs := liveToken(t)
	ts.Put(operator)
	ts.RevokeAgent("a", noon)
	ts.RevokeAgent("", noon)
	for token, want := range map[string]bool{one: false, two: false, other: true, theirs: true} {
		if _, ok := ts.Check(token, noon.Add(time.Second)); ok != want {
			t.Errorf("%.20s is good: %v, want %v", token, ok, want)
		}
	}
}

func TestDeparted_knowsWhoIsGoneAndNobodyElse(t *testing.T) {
	t.Parallel()
	ts := new(Tokens)
	_, gone := agentToken(t, ts, "a")
	_, here := agentToken(t, ts, "b")
	operator, theirs := liveToken(t)
	operator.RevokedAt = noon
	ts.Put(operator)
	ts.RevokeAgent("a", noon)
	a := newAuthenticator(t, Options{Tokens: ts})
	for token, want := range map[string]string{gone: "a", here: "", theirs: "", gone[:len(gone)-1] + "!": "", "": ""} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = bearer(token)
		if p, ok := a.Departed(r); p.AgentID != want || ok != (want != "") || len(p.Scopes) > 0 {
			t.Errorf("%.20s: %+v, %v, want %q", token, p, ok, want)
		}
	}
}

func TestChanged_wakesWhoServesABearerForLong(t *testing.T) {
	t.Parallel()
	ts := new(Tokens)
	changes := []func(){
		func() { agentToken(t, ts, "a") },
		func() { ts.RevokeAgent("a", noon) },
	}
	for i, change := range changes {
		told := ts.Changed()
		select {
		case <-told:
			t.Fatalf("change %d was told before it came", i)
		default:
		}
		change()
		select {
		case <-told:
		default:
			t.Errorf("change %d was not told", i)
		}
	}
}
