package platform_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// kept is everything a bad request could have changed.
func (h *house) kept() string {
	h.Helper()
	changes := molecule.EventFilter{Types: []string{
		molecule.EventAgentCreated, molecule.EventAgentUpdated, molecule.EventAgentRemoved, molecule.EventAgentSaid, "enrolment.", "run.",
	}}
	told, err := h.hand.Events(h.Context(), changes)
	if err != nil {
		h.Fatal(err)
	}
	page, err := h.hand.Agents(h.Context(), molecule.AgentFilter{})
	if err != nil {
		h.Fatal(err)
	}
	said := fmt.Sprint(len(told.Items), " events")
	for _, a := range page.Items {
		history, err := h.hand.AgentHistory(h.Context(), a.ID)
		if err != nil {
			h.Fatal(err)
		}
		vitals := ""
		if a.Vitals != nil {
			vitals = fmt.Sprintf("%+v", *a.Vitals)
		}
		said += fmt.Sprintf("\n%s %s %s %s %s %s %s", a.ID, a.Name, a.Kind, a.URL, a.ReportedURL, history.Card, vitals)
	}
	return said
}

// refused fails unless an answer tells an error of a client as this wire does.
func (h *house) refused(what string, got reply, statuses ...int) {
	h.Helper()
	var body map[string]any
	err := json.Unmarshal([]byte(got.body), &body)
	text, _ := body["error"].(string)
	if err != nil || text == "" {
		h.Errorf("%s: answered %d %.200s", what, got.status, got.body)
	}
	for _, s := range statuses {
		if got.status == s {
			return
		}
	}
	h.Errorf("%s: answered %d %.200s, want one of %v", what, got.status, got.body, statuses)
}

func TestWire_badInputIsToldAndChangesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	h.family()
	h.online("a", "b")
	posts := []struct{ path, good string }{
		{"/registry/register", `{"id":"{a}","delivery_mode":"poll","agent_card":{}}`},
		{"/registry/heartbeat", `{"workspace_id":"{a}"}`},
		{"/registry/update-card", `{"workspace_id":"{a}","agent_card":{}}`},
		{"/registry/check-access", `{"caller_id":"{a}","target_id":"{b}"}`},
		{"/workspaces/{a}/activity", `{"activity_type":"agent_log"}`},
		{"/workspaces/{a}/notify", `{"message":"x"}`},
		{"/workspaces/{b}/a2a", `{"message":{"parts":[{"text":"x"}]}}`},
	}
	bodies := map[string]string{
		"nothing": "", "not JSON": "hello", "half of it": `{"id":"{a}"`, "null": "null", "a list": "[]", "a text": `"x"`, "a number": "7",
		"two values": `{} {}`, "not UTF-8 between": "{\"id\":\"x\"}\xff", "wrong types": `{"id":[],"workspace_id":{},"caller_id":1,"activity_type":2,"message":3}`,
		"deep": strings.Repeat(`{"message":`, 20_000) + `1` + strings.Repeat(`}`, 20_000),
	}
	before := h.kept()
	for _, p := range posts {
		for name, body := range bodies {
			h.refused(p.path+": "+name, h.call("a", http.MethodPost, p.path, body), http.StatusBadRequest, http.StatusRequestEntityTooLarge)
		}
		// Padded with what nobody knows: a byte over a megabyte is too much for each.
		huge := p.good[:len(p.good)-1] + `,"pad":"` + strings.Repeat("x", 1<<20) + `"}`
		h.refused(p.path+": over a megabyte", h.call("a", http.MethodPost, p.path, huge), http.StatusRequestEntityTooLarge)
		h.refused(p.path+": a token nobody gave", h.call("mol_agent_aaaaaaaa_x", http.MethodPost, p.path, p.good), http.StatusUnauthorized)
		if strings.HasSuffix(p.path, "/a2a") {
			continue // any agent may write to those it may talk to
		}
		h.refused(p.path+": the token of another", h.call("b", http.MethodPost, p.path, p.good), http.StatusForbidden)
	}
	card := `{"id":"{a}","workspace_id":"{a}","delivery_mode":"poll","agent_card":{"description":"` + strings.Repeat("x", 10<<20) + `"}}`
	h.refused("a card of 10 MiB, registered", h.call("a", http.MethodPost, "/registry/register", card), http.StatusRequestEntityTooLarge)
	h.refused("a card of 10 MiB", h.call("a", http.MethodPost, "/registry/update-card", card), http.StatusRequestEntityTooLarge)
	for _, id := range []string{"x", "0199aaaa-0000-7000-8000-000000000001", "a", "%2e%2e", strings.Repeat("a", 4000)} {
		for _, path := range []string{"/workspaces/ID", "/workspaces/ID/activity", "/registry/ID/peers"} {
			h.refused(path+" of "+id, h.call("a", http.MethodGet, strings.Replace(path, "ID", id, 1), ""), http.StatusForbidden, http.StatusNotFound)
		}
		h.refused("a message to "+id, h.call("a", http.MethodPost, "/workspaces/"+id+"/a2a", posts[6].good), http.StatusForbidden, http.StatusNotFound)
	}
	if diff := cmp.Diff(h.kept(), before); diff != "" {
		t.Errorf("it changed something (-got +want):\n%s", diff)
	}
	for _, p := range posts {
		if got := h.call("a", http.MethodPost, p.path, p.good); got.status/100 != 2 {
			t.Errorf("%s: what is good is answered %d %s", p.path, got.status, got.body)
		}
	}
}

func TestWire_whatIsNoRowIsTheOrdinary404(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	h.poller("a")
	ordinary := h.call("a", http.MethodGet, "/no/such/path", "")
	for _, ask := range []string{
		"GET /registry", "GET /registry/register", "PUT /registry/register", "POST /registry/register/", "GET /registry/discover", "GET /registry/{a}/peers/",
		"GET /workspaces/", "POST /workspaces", "DELETE /workspaces/{a}", "GET /workspaces/{a}/", "GET /workspaces/{a}/secrets/values",
		"GET /workspaces/{a}/notify", "PATCH /workspaces/{a}/activity", "OPTIONS /workspaces/{a}/a2a", "POST /ws", "GET /ws/", "GET //workspaces", "GET /Workspaces",
	} {
		method, path, _ := strings.Cut(ask, " ")
		for _, as := range []string{"a", ""} {
			got := h.call(as, method, path, "")
			if got.status != http.StatusNotFound || got.body != ordinary.body || got.header.Get("Content-Type") != ordinary.header.Get("Content-Type") {
				t.Errorf("%s as %q is answered %d %s", ask, as, got.status, got.body)
			}
		}
	}
}

func TestWire_everyRowNeedsToKnowWhoAsks(t *testing.T) {
	t.Parallel()
	everyOrg(t, func(t *testing.T, org string) {
		h := newHouse(t, org)
		h.poller("a")
		for _, ask := range []string{
			"POST /registry/heartbeat", "POST /registry/update-card", "GET /registry/discover/{a}", "GET /registry/{a}/peers", "POST /registry/check-access",
			"GET /workspaces", "GET /workspaces/{a}", "GET /workspaces/{a}/state", "GET /workspaces/{a}/activity", "POST /workspaces/{a}/activity",
			"POST /workspaces/{a}/notify", "POST /workspaces/{a}/a2a", "GET /ws",
		} {
			method, path, _ := strings.Cut(ask, " ")
			h.refused(ask, h.call("", method, path, "{}"), http.StatusUnauthorized)
			// What a browser would send of itself proves nothing.
			h.refused(ask+" from our own page", h.call("", method, path, "{}", "Origin", h.base), http.StatusUnauthorized)
		}
		if org == "" {
			return
		}
		// Without the organisation there is nothing here at all.
		h.org = ""
		unknown := h.call("", http.MethodGet, "/no/such/path", "")
		for _, ask := range []string{"POST /registry/register", "GET /workspaces", "GET /ws"} {
			method, path, _ := strings.Cut(ask, " ")
			if got := h.call("", method, path, `{"id":"{a}","delivery_mode":"poll","agent_card":{}}`); got.status != http.StatusNotFound || got.body != unknown.body {
				t.Errorf("%s is told from an unknown path: %d %s", ask, got.status, got.body)
			}
		}
	})
}

func TestRegister_neverMakesACommand(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	h.family()
	leave := molecule.Enrolment{Role: "writer"}
	if err := h.hand.CreateEnrolment(t.Context(), &leave); err != nil {
		t.Fatal(err)
	}
	operator, before := h.operator(), h.kept()
	const fresh = "0199aaaa-0000-7000-8000-000000000001"
	for _, body := range []string{
		`{"id":"` + fresh + `","delivery_mode":"exec","agent_card":{}}`,
		`{"id":"` + fresh + `","delivery_mode":"exec","exec":{"command":"id"},"agent_card":{}}`,
		`{"id":"` + fresh + `","kind":"exec","exec":{"command":"id","argv":["/usr/bin/id"]},"agent_card":{}}`,
		`{"id":"` + fresh + `","url":"exec://id","agent_card":{}}`,
		`{"id":"{shell}","delivery_mode":"poll","agent_card":{}}`,
		`{"id":"{shell}","url":"https://agent.example.com/","agent_card":{}}`,
	} {
		for _, as := range []string{leave.Token.Reveal(), operator, "a"} {
			h.refused(body, h.call(as, http.MethodPost, "/registry/register", body), http.StatusBadRequest, http.StatusForbidden)
		}
	}
	after := h.kept()
	if diff := cmp.Diff(strings.SplitN(after, "\n", 2)[1], strings.SplitN(before, "\n", 2)[1]); diff != "" {
		t.Errorf("an agent changed (-got +want):\n%s", diff)
	}
	in := `{"id":"` + fresh + `","delivery_mode":"poll","kind":"exec","exec":{"command":"id"},"agent_card":{}}`
	if got := h.call(leave.Token.Reveal(), http.MethodPost, "/registry/register", in); got.status != http.StatusOK {
		t.Fatalf("members nobody knows: %d %s", got.status, got.body)
	}
	if a, err := h.hand.Agent(t.Context(), fresh); err != nil || a.Kind != molecule.AgentPoll || a.Exec != nil {
		t.Errorf("it became %+v, %v", a, err)
	}
}
