package platform_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// family adds agents above, beside and below each other:
//
//	boss ─┬─ a ── below        other ── far
//	      └─ b                 shell (a command)
func (h *house) family() {
	h.Helper()
	h.add(molecule.Agent{Name: "boss", Kind: molecule.AgentPush, URL: "http://127.0.0.1:9/agent", Role: "lead", Tier: 3})
	h.add(molecule.Agent{Name: "a", Kind: molecule.AgentPoll, Parent: "boss", Role: "scribe", Tier: 2, Runtime: "langgraph"})
	h.add(molecule.Agent{Name: "b", Kind: molecule.AgentPoll, Parent: "boss"})
	h.add(molecule.Agent{Name: "below", Kind: molecule.AgentPoll, Parent: "a"})
	h.add(molecule.Agent{Name: "other", Kind: molecule.AgentPoll})
	h.add(molecule.Agent{Name: "far", Kind: molecule.AgentPoll, Parent: "other"})
	h.add(molecule.Agent{Name: "shell", Exec: &molecule.Exec{Command: "tr a-z A-Z"}})
}

// exchange is one request and what it is answered, bit for bit but for ids and
// instants.
type exchange struct {
	name    string
	as      string
	ask     string // method and path
	body    string
	headers []string
	status  int
	want    string
}

func (h *house) hold(all []exchange) {
	h.Helper()
	for _, x := range all {
		method, path, _ := strings.Cut(x.ask, " ")
		got := h.call(x.as, method, path, x.body, x.headers...)
		if diff := cmp.Diff(h.plain(got.body), x.want); diff != "" || got.status != x.status {
			h.Errorf("%s: %s as %q is answered %d, want %d (-got +want):\n%s", x.name, x.ask, x.as, got.status, x.status, diff)
		}
		if kind := got.header.Get("Content-Type"); kind != "application/json" {
			h.Errorf("%s: its type is %q", x.name, kind)
		}
	}
}

func TestWire_registry(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	h.family()
	const (
		unknown   = "0199aaaa-0000-7000-8000-000000000001"
		registerA = `{"id":"{a}","url":"remote://no-inbound","agent_card":{"name":"a"},"delivery_mode":"poll","extra":1}`
	)
	h.hold([]exchange{
		{"peers", "a", "GET /registry/{a}/peers", "", nil, 200, `[{"id":"{b}","name":"b","role":"","tier":1,"status":"provisioning","url":"","parent_id":"{boss}","active_tasks":0,"agent_card":null},` +
			`{"id":"{below}","name":"below","role":"","tier":1,"status":"provisioning","url":"","parent_id":"{a}","active_tasks":0,"agent_card":null},` +
			`{"id":"{boss}","name":"boss","role":"lead","tier":3,"status":"provisioning","url":"http://127.0.0.1:9/agent","parent_id":null,"active_tasks":0,"agent_card":null}]`},
		{"with its token", "a", "POST /registry/register", registerA, nil, 200, `{"status":"registered"}`},
		{"again without", "", "POST /registry/register", registerA, nil, 200, `{"status":"registered"}`},
		{"by its other name", "a", "POST /registry/register", strings.Replace(registerA, `"id"`, `"workspace_id"`, 1), nil, 200, `{"status":"registered"}`},
		{"a new card without", "", "POST /registry/register", strings.Replace(registerA, `"a"}`, `"z"}`, 1), nil, 401, `{"error":"this would change the agent: send its token"}`},
		{"with another's token", "b", "POST /registry/register", registerA, nil, 403, `{"error":"this is not the token of the agent"}`},
		{"nobody knows it", "", "POST /registry/register", strings.Replace(registerA, "{a}", unknown, 1), nil, 401, `{"error":"an enrolment token is needed to register a new agent"}`},
		{"with a token nobody gave", "mol_agent_x", "POST /registry/register", registerA, nil, 401, `{"error":"a valid token is needed"}`},
		{"no id", "a", "POST /registry/register", `{"agent_card":{}}`, nil, 400, `{"error":"id is required"}`},
		{"no card", "a", "POST /registry/register", `{"id":"{a}","delivery_mode":"poll"}`, nil, 400, `{"error":"agent_card is required"}`},
		{"no URL", "a", "POST /registry/register", `{"id":"{a}","agent_card":{}}`, nil, 400, `{"error":"url is required unless delivery_mode is poll"}`},
		{"a command", "a", "POST /registry/register", `{"id":"{a}","agent_card":{},"delivery_mode":"exec"}`, nil, 400, `{"error":"delivery_mode must be push or poll"}`},
		{"metadata", "boss", "POST /registry/register", `{"id":"{boss}","agent_card":{},"url":"http://169.254.169.254/"}`, nil, 400, `{"error":"URL refused (metadata): it names a place where platforms keep credentials"}`},

		{"a heartbeat", "a", "POST /registry/heartbeat", `{"workspace_id":"{a}","error_rate":0.25,"sample_error":"x","active_tasks":2,"uptime_seconds":7.5,"current_task":"writes","runtime_state":"ok"}`, nil, 200, `{"status":"ok","next_heartbeat_seconds":{n}}`},
		{"a bare one", "a", "POST /registry/heartbeat", `{"workspace_id":"{a}"}`, nil, 200, `{"status":"ok","next_heartbeat_seconds":{n}}`},
		{"of another", "b", "POST /registry/heartbeat", `{"workspace_id":"{a}"}`, nil, 403, `{"error":"this is the token of another workspace"}`},
		{"of nobody", "a", "POST /registry/heartbeat", `{}`, nil, 400, `{"error":"workspace_id is required"}`},
		{"a text for a number", "a", "POST /registry/heartbeat", `{"workspace_id":"{a}","error_rate":"0.5"}`, nil, 400, `{"error":"error_rate must be a number, not a string"}`},
		{"without a token", "", "POST /registry/heartbeat", `{"workspace_id":"{a}"}`, nil, 401, `{"error":"a valid token is needed"}`},

		{"a card", "a", "POST /registry/update-card", `{"workspace_id":"{a}","agent_card":{"name":"A <b>"}}`, nil, 200, `{"status":"updated"}`},
		{"no card", "a", "POST /registry/update-card", `{"workspace_id":"{a}"}`, nil, 400, `{"error":"agent_card is required"}`},
		{"a list for a card", "a", "POST /registry/update-card", `{"workspace_id":"{a}","agent_card":[]}`, nil, 400, `{"error":"agent_card must be an object"}`},

		{"who", "a", "GET /registry/discover/{boss}", "", []string{"X-Workspace-ID", "{a}"}, 200, `{"id":"{boss}","url":"http://127.0.0.1:9/agent","name":"boss"}`},
		{"who asks its work", "a", "GET /registry/discover/{b}", "", []string{"X-Workspace-ID", "{a}"}, 200, `{"id":"{b}","url":"","name":"b"}`},
		{"who stands for the people", "a", "GET /registry/discover/{people}", "", []string{"X-Workspace-ID", "{a}"}, 200, `{"id":"{people}","url":"","name":"operator"}`},
		{"without saying who asks", "a", "GET /registry/discover/{boss}", "", nil, 400, `{"error":"X-Workspace-ID header is required"}`},
		{"as another", "a", "GET /registry/discover/{boss}", "", []string{"X-Workspace-ID", "{b}"}, 403, `{"error":"this is the token of another workspace"}`},
		{"too far away", "a", "GET /registry/discover/{far}", "", []string{"X-Workspace-ID", "{a}"}, 403, `{"error":"the hierarchy does not let these workspaces talk to each other"}`},
		{"nobody", "a", "GET /registry/discover/" + unknown, "", []string{"X-Workspace-ID", "{a}"}, 404, `{"error":"workspace not found"}`},
		{"no id at all", "a", "GET /registry/discover/boss", "", []string{"X-Workspace-ID", "{a}"}, 404, `{"error":"workspace not found"}`},

		{"peers of another", "b", "GET /registry/{a}/peers", "", nil, 403, `{"error":"this is the token of another workspace"}`},

		{"may talk", "a", "POST /registry/check-access", `{"caller_id":"{a}","target_id":"{b}"}`, nil, 200, `{"allowed":true}`},
		{"may talk to the people", "a", "POST /registry/check-access", `{"caller_id":"{a}","target_id":"{people}"}`, nil, 200, `{"allowed":true}`},
		{"may not", "a", "POST /registry/check-access", `{"caller_id":"{a}","target_id":"{far}"}`, nil, 200, `{"allowed":false}`},
		{"may not talk to nobody", "a", "POST /registry/check-access", `{"caller_id":"{a}","target_id":"x"}`, nil, 200, `{"allowed":false}`},
		{"for another", "b", "POST /registry/check-access", `{"caller_id":"{a}","target_id":"{b}"}`, nil, 403, `{"error":"this is the token of another workspace"}`},
		{"for nobody", "a", "POST /registry/check-access", `{"target_id":"{b}"}`, nil, 400, `{"error":"caller_id is required"}`},
		{"with nobody", "a", "POST /registry/check-access", `{"caller_id":"{a}"}`, nil, 400, `{"error":"target_id is required"}`},
	})
}

func TestWire_enrolment(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	leave := molecule.Enrolment{Name: "fresh"}
	if err := h.hand.CreateEnrolment(t.Context(), &leave); err != nil {
		t.Fatal(err)
	}
	awaited := h.add(molecule.Agent{Name: "awaited", Kind: molecule.AgentPoll, Await: molecule.Duration(patience)})
	h.agents["fresh"] = molecule.Agent{ID: "0199aaaa-0000-7000-8000-000000000001"}
	h.hold([]exchange{
		{"with leave", leave.Token.Reveal(), "POST /registry/register", `{"id":"{fresh}","delivery_mode":"poll","agent_card":{}}`, nil, 200, `{"status":"registered","auth_token":"{token}"}`},
		{"with leave that was used", leave.Token.Reveal(), "POST /registry/register", `{"id":"{fresh}","delivery_mode":"poll","agent_card":{}}`, nil, 401, `{"error":"a valid token is needed"}`},
		{"leave for one registration is no token", leave.Token.Reveal(), "GET /workspaces/{fresh}", "", nil, 401, `{"error":"a valid token is needed"}`},
		{"in its window", "", "POST /registry/register", `{"id":"{awaited}","delivery_mode":"poll","agent_card":{}}`, nil, 200, `{"status":"registered","auth_token":"{token}"}`},
		{"in its window, again", "", "POST /registry/register", `{"id":"{awaited}","delivery_mode":"poll","agent_card":{}}`, nil, 200, `{"status":"registered"}`},
	})
	another := molecule.Enrolment{Name: "awaited"}
	if err := h.hand.CreateEnrolment(t.Context(), &another); err != nil {
		t.Fatal(err)
	}
	h.agents["late"] = molecule.Agent{ID: "0199aaaa-0000-7000-8000-000000000002"}
	h.hold([]exchange{
		{"leave does nothing else", another.Token.Reveal(), "GET /workspaces/" + awaited.ID, "", nil, 403, `{"error":"token:` + another.ID + ` may not do this: it lacks the scope agents:read"}`},
		{"a name that is taken", another.Token.Reveal(), "POST /registry/register", `{"id":"{late}","delivery_mode":"poll","agent_card":{}}`, nil, 400, `{"error":"another workspace has that name"}`},
	})
}

func TestWire_workspaces(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	h.family()
	token := h.operator()
	h.online("a", "b", "far")
	beat := h.call("a", "POST", "/registry/heartbeat", `{"workspace_id":"{a}","error_rate":0.25,"sample_error":"<no>","active_tasks":2,"uptime_seconds":7.5,"current_task":"writes","runtime_state":"ok"}`)
	card := h.call("a", "POST", "/registry/update-card", `{"workspace_id":"{a}","agent_card":{"name": "A <b>"}}`)
	if beat.status != http.StatusOK || card.status != http.StatusOK {
		t.Fatalf("prepared with %d and %d", beat.status, card.status)
	}
	const (
		boss = `{"id":"{boss}","name":"boss","role":"lead","tier":3,"status":"provisioning","url":"http://127.0.0.1:9/agent","parent_id":null,"active_tasks":0,` +
			`"last_error_rate":0,"last_sample_error":"","uptime_seconds":0,"current_task":"","runtime":"","agent_card":null}`
		far = `{"id":"{far}","name":"far","role":"","tier":1,"status":"online","url":"","parent_id":"{other}","active_tasks":0,` +
			`"last_error_rate":0,"last_sample_error":"","uptime_seconds":0,"current_task":"","runtime":"","agent_card":null}`
	)
	a := strings.NewReplacer("{far}", "{a}", `"far","role":"","tier":1`, `"a","role":"scribe","tier":2`,
		"{other}", "{boss}", `"active_tasks":0,"last_error_rate":0,"last_sample_error":"","uptime_seconds":0,"current_task":"","runtime":"","agent_card":null`,
		`"active_tasks":2,"last_error_rate":0.25,"last_sample_error":"<no>","uptime_seconds":7,"current_task":"writes","runtime":"langgraph","agent_card":{"name":"A <b>"}`).Replace(far)
	h.hold([]exchange{
		{"itself", "a", "GET /workspaces/{a}", "", nil, 200, a},
		{"another", "b", "GET /workspaces/{a}", "", nil, 403, `{"error":"this is the token of another workspace"}`},
		{"an operator", token, "GET /workspaces/{boss}", "", nil, 200, boss},
		{"nobody", token, "GET /workspaces/0199aaaa-0000-7000-8000-000000000001", "", nil, 404, `{"error":"workspace not found"}`},
		{"those it may talk to", "far", "GET /workspaces", "", nil, 200, `[` + far + `,` + strings.NewReplacer("{far}", "{other}", `"far"`, `"other"`, `"{other}"`, `null`, "online", "provisioning").Replace(far) + `]`},
		{"its state", "a", "GET /workspaces/{a}/state", "", nil, 200, `{"workspace_id":"{a}","status":"online","paused":false,"deleted":false}`},
		{"the state of nobody", token, "GET /workspaces/0199aaaa-0000-7000-8000-000000000001/state", "", nil, 404, `{"workspace_id":"{id}","deleted":true}`},
	})
	if _, err := h.hand.PauseAgent(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if err := h.hand.RemoveAgent(t.Context(), "below"); err != nil {
		t.Fatal(err)
	}
	gone := `{"error":"workspace removed","removed_at":"{time}"}`
	h.hold([]exchange{
		{"paused", "b", "GET /workspaces/{b}/state", "", nil, 200, `{"workspace_id":"{b}","status":"paused","paused":true,"deleted":false}`},
		{"discovering it", "a", "GET /registry/discover/{b}", "", []string{"X-Workspace-ID", "{a}"}, 503, `{"error":"workspace is paused","status":"paused"}`},
		{"sending to it", "a", "POST /workspaces/{b}/a2a", `{"message":{"parts":[{"text":"x"}]}}`, nil, 503, `{"error":"workspace is paused","status":"paused"}`},
		{"removed", token, "GET /workspaces/{below}", "", nil, 410, gone},
		{"removed, its inbox", token, "GET /workspaces/{below}/activity", "", nil, 410, gone},
		{"removed, asking itself", "below", "GET /workspaces/{below}", "", nil, 410, gone},
		{"removed, its state", "below", "GET /workspaces/{below}/state", "", nil, 404, `{"workspace_id":"{below}","deleted":true}`},
		{"removed, the state of another", "below", "GET /workspaces/{a}/state", "", nil, 403, `{"error":"this is the token of another workspace"}`},
		{"removed, anything else", "below", "GET /workspaces/{below}/activity", "", nil, 401, `{"error":"a valid token is needed"}`},
		{"removed, discovered", "a", "GET /registry/discover/{below}", "", []string{"X-Workspace-ID", "{a}"}, 404, `{"error":"workspace not found"}`},
		{"removed, sent to", "a", "POST /workspaces/{below}/a2a", `{"message":{"parts":[{"text":"x"}]}}`, nil, 404, `{"error":"workspace not found"}`},
	})
}

func TestWire_aTokenThatWasRevokedIsNoneWhileItsAgentIsThere(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	a := h.poller("a")
	if _, err := h.hand.RevokeToken(t.Context(), strings.Split(a.Token.Reveal(), "_")[2]); err != nil {
		t.Fatal(err)
	}
	const none = `{"error":"a valid token is needed"}`
	h.hold([]exchange{
		{"its state", "a", "GET /workspaces/{a}/state", "", nil, 401, none},
		{"itself", "a", "GET /workspaces/{a}", "", nil, 401, none},
		{"its work", "a", "GET /workspaces/{a}/activity", "", nil, 401, none},
	})
}

func TestWire_activity(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	h.family()
	token := h.operator()
	run, err := h.hand.StartRun(t.Context(), molecule.NewRun{Agent: "a", Prompt: "say hello\n<now>", Timeout: molecule.Duration(patience)})
	if err != nil {
		t.Fatal(err)
	}
	first := h.call("a", "GET", "/workspaces/{a}/activity?wait=20", "")
	h.agents["row"], h.agents["message"] = molecule.Agent{ID: anID.FindString(first.body)}, molecule.Agent{ID: run.MessageID}
	sent := h.call("b", "POST", "/workspaces/{a}/a2a", `{"jsonrpc":"2.0","id":"7","method":"message/send","params":{"message":{"role":"user","messageId":"m-1","contextId":"c-1","parts":[{"type":"text","text":"hi"},{"kind":"data","data":{"n":1.50}}]}}}`)
	if sent.status != http.StatusAccepted {
		t.Fatalf("sent: %d %s", sent.status, sent.body)
	}
	const (
		fromPeople = `{"id":"{row}","type":"a2a_receive","activity_type":"a2a_receive","workspace_id":"{a}","source_id":"{people}","target_id":"{a}","method":"message/send",` +
			`"summary":"say hello","status":"ok","created_at":"{time}","data":{"source":"canvas_user","text":"say hello\n<now>","source_id":"{people}","peer_name":null,"peer_role":null,"agent_card_url":null},` +
			`"request_body":{"jsonrpc":"2.0","id":"{row}","method":"message/send","params":{"message":{"role":"user","messageId":"{message}","parts":[{"kind":"text","type":"text","text":"say hello\n<now>"}]}}}}`
		fromPeer = `{"id":"{id}","type":"a2a_receive","activity_type":"a2a_receive","workspace_id":"{a}","source_id":"{b}","target_id":"{a}","method":"message/send",` +
			`"summary":"hi","status":"ok","created_at":"{time}","data":{"source":"peer_agent","text":"hi","source_id":"{b}","peer_name":"b","peer_role":null,"agent_card_url":null},` +
			`"request_body":{"jsonrpc":"2.0","id":"{id}","method":"message/send","params":{"message":{"role":"user","messageId":"m-1","parts":[{"kind":"text","type":"text","text":"hi"},{"kind":"data","type":"data","data":{"n":1.50}}],"contextId":"c-1"}}}}`
		fromBoss = `{"id":"{id}","type":"a2a_receive","activity_type":"a2a_receive","workspace_id":"{b}","source_id":"{boss}","target_id":"{b}","method":"message/send",` +
			`"summary":"go","status":"ok","created_at":"{time}","data":{"source":"peer_agent","text":"go","source_id":"{boss}","peer_name":"boss","peer_role":"lead","agent_card_url":"http://127.0.0.1:9/agent/.well-known/agent-card.json"},` +
			`"request_body":{"jsonrpc":"2.0","id":"{id}","method":"message/send","params":{"message":{"role":"user","messageId":"{id}","parts":[{"kind":"text","type":"text","text":"go"}]}}}}`
		logged = `{"id":"{id}","type":"agent_log","activity_type":"agent_log","workspace_id":"{a}","source_id":"{a}","target_id":null,"method":"","summary":"started","status":"ok","created_at":"{time}",` +
			`"data":{"source":null,"text":"started","source_id":"{a}","peer_name":null,"peer_role":null,"agent_card_url":null},"request_body":null}`
	)
	h.hold([]exchange{
		{"behind the prompt", "a", "GET /workspaces/{a}/activity?type=a2a_receive&limit=500&since_id={row}", "", nil, 200, `[` + fromPeer + `]`},
		{"what nobody has yet", "a", "GET /workspaces/{a}/activity", "", nil, 200, `[]`},
		{"behind nothing that is kept", "a", "GET /workspaces/{a}/activity?since_id={b}", "", nil, 410, `{"error":"the row \"{b}\" is no longer kept"}`},
		{"of no type", "a", "GET /workspaces/{a}/activity?type=x", "", nil, 400, `{"error":"invalid activity_type"}`},
		{"no number", "a", "GET /workspaces/{a}/activity?limit=x", "", nil, 400, `{"error":"limit must be a whole number from 1 to 500"}`},
		{"no time", "a", "GET /workspaces/{a}/activity?wait=x", "", nil, 400, `{"error":"wait must be a number of seconds"}`},
		{"of another", "b", "GET /workspaces/{a}/activity", "", nil, 403, `{"error":"this is the token of another workspace"}`},
		{"of nobody", token, "GET /workspaces/0199aaaa-0000-7000-8000-000000000001/activity", "", nil, 404, `{"error":"workspace not found"}`},
		{"told", "a", "POST /workspaces/{a}/activity", `{"activity_type":"agent_log","summary":"started"}`, nil, 200, `{"status":"logged"}`},
		{"told, of no type", "a", "POST /workspaces/{a}/activity", `{"activity_type":"x"}`, nil, 400, `{"error":"invalid activity_type"}`},
		{"what was told", token, "GET /workspaces/{a}/activity?type=agent_log&since_id={row}", "", nil, 200, `[` + logged + `]`},
		{"the boss says", "boss", "POST /workspaces/{b}/a2a", `{"role":"user","parts":[{"text":"go"}]}`, nil, 202, `{"queued":true,"activity_id":"{id}","message_id":"{id}"}`},
		{"what the boss says, to an operator", token, "GET /workspaces/{b}/activity", "", nil, 200, `[` + fromBoss + `]`},
		{"what the boss says", "b", "GET /workspaces/{b}/activity", "", nil, 200, `[` + fromBoss + `]`},
		{"a reply", "a", "POST /workspaces/{a}/notify", `{"message":"hello"}`, nil, 200, `{"status":"sent"}`},
		{"no reply", "a", "POST /workspaces/{a}/notify", `{}`, nil, 400, `{"error":"message is required"}`},
		{"a number for a reply", "a", "POST /workspaces/{a}/notify", `{"message":7}`, nil, 400, `{"error":"message must be a text, not a number"}`},
		{"for another", "b", "POST /workspaces/{a}/notify", `{"message":"x"}`, nil, 403, `{"error":"this is the token of another workspace"}`},
	})
	if got, err := h.hand.WaitRun(t.Context(), run.ID); err != nil || got.Outcome != molecule.OutcomeOK || got.Reply != "hello" {
		t.Errorf("the run ended %s %q, %v", got.Outcome, got.Reply, err)
	}
	if diff := cmp.Diff(h.plain(first.body), "["+fromPeople+"]"); diff != "" {
		t.Errorf("the prompt is written (-got +want):\n%s", diff)
	}
}

func TestWire_a2a(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	h.family()
	token := h.operator()
	tight := 1
	if _, err := h.hand.UpdateAgent(t.Context(), "b", molecule.AgentUpdate{Budget: &molecule.Budget{Runs: tight}}); err != nil {
		t.Fatal(err)
	}
	const hi = `{"jsonrpc":"2.0","id":7,"method":"message/send","params":{"message":{"role":"user","messageId":"m","parts":[{"kind":"text","text":"hi"}]}}}`
	h.hold([]exchange{
		{"to who asks", "a", "POST /workspaces/{b}/a2a", hi, nil, 202, `{"queued":true,"activity_id":"{id}","message_id":"m"}`},
		{"saying who it is", "a", "POST /workspaces/{b}/a2a", hi, []string{"X-Source-Workspace-Id", "{a}"}, 202, `{"queued":true,"activity_id":"{id}","message_id":"m"}`},
		{"as another", "a", "POST /workspaces/{b}/a2a", hi, []string{"X-Source-Workspace-Id", "{b}"}, 403, `{"error":"this is the token of another workspace"}`},
		{"to the people", "a", "POST /workspaces/{people}/a2a", hi, nil, 200, `{"jsonrpc":"2.0","id":7,"result":{"kind":"message","role":"agent","messageId":"{id}","parts":[{"kind":"text","type":"text","text":"received"}]}}`},
		{"to the people, by one of them", token, "POST /workspaces/{people}/a2a", hi, nil, 400, `{"error":"only a workspace replies to this address"}`},
		{"to a command", "boss", "POST /workspaces/{shell}/a2a", hi, nil, 200, `{"jsonrpc":"2.0","id":7,"result":{"kind":"message","role":"agent","messageId":"{id}","parts":[{"kind":"text","type":"text","text":"HI"}]}}`},
		{"to who is not there", "a", "POST /workspaces/{boss}/a2a", hi, nil, 502, `{"error":"the workspace could not be reached, or gave no answer"}`},
		{"too far away", "a", "POST /workspaces/{far}/a2a", hi, nil, 403, `{"error":"the hierarchy does not let these workspaces talk to each other"}`},
		{"to nobody", "a", "POST /workspaces/0199aaaa-0000-7000-8000-000000000001/a2a", hi, nil, 404, `{"error":"workspace not found"}`},
		{"by an operator, anywhere", token, "POST /workspaces/{far}/a2a", hi, nil, 202, `{"queued":true,"activity_id":"{id}","message_id":"m"}`},
		{"by an operator for an agent", token, "POST /workspaces/{far}/a2a", hi, []string{"X-Workspace-ID", "{a}"}, 403, `{"error":"the hierarchy does not let these workspaces talk to each other"}`},
		{"no message", "a", "POST /workspaces/{b}/a2a", `{"jsonrpc":"2.0","method":"message/send","params":{}}`, nil, 400, `{"error":"there is no message"}`},
		{"no parts", "a", "POST /workspaces/{b}/a2a", `{"message":{"parts":[]}}`, nil, 400, `{"error":"the message has no parts"}`},
		{"another method", "a", "POST /workspaces/{b}/a2a", `{"method":"tasks/cancel","params":{"id":"x"}}`, nil, 400, `{"error":"method \"tasks/cancel\" is not passed on, only message/send is"}`},
	})
	if rows := h.rows("b", ""); len(rows) != 2 {
		t.Fatalf("%d messages wait, want 2", len(rows))
	}
	run, err := h.hand.StartRun(t.Context(), molecule.NewRun{Agent: "b", Prompt: "x", Timeout: molecule.Duration(patience)})
	if err != nil {
		t.Fatal(err)
	}
	if rows := h.rows("b", "?wait=20"); len(rows) != 1 {
		t.Fatalf("it is handed %d rows, want the run", len(rows))
	}
	h.call("b", "POST", "/workspaces/{b}/notify", `{"message":"done","run_id":"`+run.ID+`"}`)
	if _, err := h.hand.WaitRun(t.Context(), run.ID); err != nil {
		t.Fatal(err)
	}
	h.hold([]exchange{
		{"to who has spent all", "a", "POST /workspaces/{b}/a2a", hi, nil, 402, `{"error":"the budget of the workspace is spent: 1 of 1 runs in 24h"}`},
	})
}
