package platform_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// dial opens a socket as the agent of a name, or with a token.
func (h *house) dial(as, query string, header ...string) *websocket.Conn {
	h.Helper()
	token := as
	if !strings.HasPrefix(as, "mol_") {
		token = h.agents[as].Token.Reveal()
	}
	o := &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}}
	for i := 0; i < len(header); i += 2 {
		o.HTTPHeader.Set(header[i], header[i+1])
	}
	conn, _, err := websocket.Dial(h.Context(), strings.Replace(h.base, "http", "ws", 1)+"/ws"+query, o)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// frames reads n frames as they are written, but for ids and instants.
func (h *house) frames(conn *websocket.Conn, n int) (plain, raw []string) {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), patience)
	defer cancel()
	for range n {
		kind, body, err := conn.Read(ctx)
		if err != nil || kind != websocket.MessageText {
			h.Fatalf("after %v: %v, %v", plain, kind, err)
		}
		plain, raw = append(plain, h.plain(string(body))), append(raw, string(body))
	}
	return plain, raw
}

// created is the frame of a new agent.
func created(name string) string {
	return fmt.Sprintf(`{"event":"agent.created","workspace_id":"{%s}","timestamp":"{time}","payload":{"id":{n},"subject":"agent/%s","data":{"id":"{%s}","kind":"poll"}}}`,
		name, name, name)
}

func TestSocket_sendsWhatWasAndWhatComes(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	in := molecule.NewToken{Name: "reader", Scopes: []molecule.Scope{molecule.ScopeAgentsRead}}
	if err := h.hand.CreateToken(t.Context(), &in); err != nil {
		t.Fatal(err)
	}
	token := in.Token.Reveal() // of who may read of agents and nothing else
	h.poller("a")
	conn := h.dial(token, "?since=0", "Origin", h.base)
	first, raw := h.frames(conn, 1)
	h.poller("b")
	second, _ := h.frames(conn, 1)
	if diff := cmp.Diff(append(first, second...), []string{created("a"), created("b")}); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	var at struct {
		Timestamp string `json:"timestamp"`
		Payload   struct {
			ID int64 `json:"id"`
		} `json:"payload"`
	}
	if err := json.Unmarshal([]byte(raw[0]), &at); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		fmt.Sprint("?since=", at.Payload.ID): created("b"),
		"?since=" + at.Timestamp:             created("a"),
	} {
		again, _ := h.frames(h.dial(token, query), 1)
		if diff := cmp.Diff(again, []string{want}); diff != "" {
			t.Errorf("resumed with %s (-got +want):\n%s", query, diff)
		}
	}
	fresh := h.dial(token, "")
	h.poller("c")
	if got, _ := h.frames(fresh, 1); got[0] != created("c") {
		t.Errorf("without since it begins with %s", got)
	}
	h.hold([]exchange{
		{"no instant", token, "GET /ws?since=yesterday", "", []string{"Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}, 400,
			`{"error":"since must be the id of an event or an instant such as {time}"}`},
		{"no socket", token, "GET /ws", "", nil, 426, `{"error":"this is a websocket: send Upgrade: websocket"}`},
	})
}

func TestSocket_tellsAnAgentOfThoseItMayTalkTo(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	h.family()
	last, err := h.hand.LastEventID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn := h.dial("a", fmt.Sprint("?since=", last))
	for _, name := range []string{"far", "b", "other", "below"} {
		role := "new"
		if _, err := h.hand.UpdateAgent(t.Context(), name, molecule.AgentUpdate{Role: &role}); err != nil {
			t.Fatal(err)
		}
	}
	var told []string
	for len(told) < 2 { // its own coming to life is told as well
		plain, _ := h.frames(conn, 1)
		if strings.Contains(plain[0], `"agent.updated"`) {
			told = append(told, plain[0][:60])
		} else if !strings.Contains(plain[0], `"workspace_id":"{a}"`) {
			t.Errorf("it is told %s", plain[0])
		}
	}
	want := []string{
		`{"event":"agent.updated","workspace_id":"{b}","timestamp":"{time}`[:60], `{"event":"agent.updated","workspace_id":"{below}","timestamp":"{time}`[:60],
	}
	if diff := cmp.Diff(told, want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}

func TestSocket_endsWithTheTokenAndWithTheDaemon(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	h.poller("a")
	h.poller("b")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ends := func(conn *websocket.Conn) websocket.StatusCode {
		for {
			if _, _, err := conn.Read(ctx); err != nil {
				return websocket.CloseStatus(err)
			}
		}
	}
	gone := h.dial("a", "")
	if err := h.hand.RemoveAgent(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if got := ends(gone); got != websocket.StatusPolicyViolation {
		t.Errorf("the socket of an agent that was removed ends with %v", got)
	}
	stopped := h.dial("b", "")
	code := make(chan websocket.StatusCode, 1)
	go func() { code <- ends(stopped) }()
	h.stop()
	if got := <-code; got != websocket.StatusGoingAway {
		t.Errorf("when the daemon stops it ends with %v", got)
	}
}

func TestActivity_waitsForWhatComesAndEndsWithTheToken(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	h.poller("a")
	h.poller("b")
	ask := func(as string) <-chan reply {
		got := make(chan reply, 1)
		go func() { got <- h.call(as, http.MethodGet, "/workspaces/{"+as+"}/activity?wait=30", "") }()
		return got
	}
	waiting := ask("a")
	if sent := h.call("b", http.MethodPost, "/workspaces/{a}/a2a", `{"message":{"parts":[{"text":"now"}]}}`); sent.status != http.StatusAccepted {
		t.Fatalf("sent: %d %s", sent.status, sent.body)
	}
	if got := <-waiting; got.status != http.StatusOK || !strings.Contains(got.body, `"text":"now"`) {
		t.Errorf("it is answered %d %s", got.status, got.body)
	}
	waiting = ask("b")
	if err := h.hand.RemoveAgent(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if got := <-waiting; got.status != http.StatusUnauthorized {
		t.Errorf("one that was removed meanwhile is answered %d %s", got.status, got.body)
	}
	if got := h.call("a", http.MethodGet, "/workspaces/{a}/activity?wait=0.01", ""); got.body != "[]" {
		t.Errorf("when nothing comes: %d %s", got.status, got.body)
	}
}
