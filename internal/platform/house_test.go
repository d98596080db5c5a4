package platform_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/daemon"
	"github.com/molecule-ai/molecli/internal/inbox"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// patience bounds whatever a test waits for.
const patience = 20 * time.Second

// house is a whole daemon, with its operator on the socket and agents on TCP.
type house struct {
	*testing.T
	base   string
	org    string
	hand   *client.Client // the operator's
	agents map[string]molecule.Agent
	stop   func()
}

// newHouse starts a daemon that serves an organisation, or none when org is
// empty.
func newHouse(t *testing.T, org string) *house {
	t.Helper()
	dir, err := os.MkdirTemp("", "house") // short: the path of a socket is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cfg := daemon.DefaultConfig()
	data := filepath.Join(dir, "d")
	sqlitetest.Seed(t, data)
	cfg.DataDir, cfg.Listen = &data, []string{"unix://" + filepath.Join(dir, "s"), "http://127.0.0.1:0"}
	cfg.Dispatch.Drain = 50 * time.Millisecond
	if org != "" {
		cfg.OrgID = &org
	}
	d, err := daemon.New(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := d.Run(ctx); err != nil {
			t.Errorf("the daemon ended with %v", err)
		}
	})
	h := &house{T: t, base: d.Addr("tcp"), org: org, agents: map[string]molecule.Agent{}}
	h.stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(h.stop)
	if h.hand, err = client.New(client.Options{Endpoint: d.Addr("unix")}); err != nil {
		t.Fatal(err)
	}
	return h
}

// add adds an agent and keeps it by its name.
func (h *house) add(a molecule.Agent) molecule.Agent {
	h.Helper()
	if err := h.hand.CreateAgent(h.Context(), &a); err != nil {
		h.Fatal(err)
	}
	h.agents[a.Name] = a
	return a
}

// poller adds an agent that asks for its work.
func (h *house) poller(name string) molecule.Agent {
	h.Helper()
	return h.add(molecule.Agent{Name: name, Kind: molecule.AgentPoll})
}

// reply is one answer.
type reply struct {
	status int
	header http.Header
	body   string
}

// call makes a request as the agent of a name; as nobody when that is empty. A
// name that begins with mol_ is a token. Headers come in pairs.
func (h *house) call(as, method, path, body string, headers ...string) reply {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, h.base+h.filled(path), strings.NewReader(h.filled(body)))
	if err != nil {
		h.Fatal(err)
	}
	if token := as; token != "" {
		if !strings.HasPrefix(as, "mol_") {
			token = h.agents[as].Token.Reveal()
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if h.org != "" {
		req.Header.Set("X-Molecule-Org-Id", h.org)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], h.filled(headers[i+1]))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		h.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(got)}
}

// filled puts ids into the places that are named {agent}.
func (h *house) filled(text string) string {
	for name, a := range h.agents {
		text = strings.ReplaceAll(text, "{"+name+"}", a.ID)
	}
	return strings.ReplaceAll(text, "{people}", inbox.ReplyAddress(h.org))
}

var (
	anID      = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	anInstant = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)
	aPace     = regexp.MustCompile(`"next_heartbeat_seconds":\d+`)
	anEvent   = regexp.MustCompile(`"payload":\{"id":\d+`)
	aToken    = regexp.MustCompile(`mol_agent_[0-9A-Za-z_]+`)
)

// plain puts names in the place of what differs from run to run.
func (h *house) plain(text string) string {
	for name, a := range h.agents {
		text = strings.ReplaceAll(text, a.ID, "{"+name+"}")
	}
	text = strings.ReplaceAll(text, inbox.ReplyAddress(h.org), "{people}")
	text = aPace.ReplaceAllString(text, `"next_heartbeat_seconds":{n}`)
	text = anEvent.ReplaceAllString(text, `"payload":{"id":{n}`)
	text = aToken.ReplaceAllString(text, "{token}")
	return anInstant.ReplaceAllString(anID.ReplaceAllString(text, "{id}"), "{time}")
}

// rows decodes what an agent is told of its inbox.
func (h *house) rows(as string, query string) []row {
	h.Helper()
	got := h.call(as, http.MethodGet, "/workspaces/{"+as+"}/activity"+query, "")
	var rows []row
	if err := json.NewDecoder(bytes.NewReader([]byte(got.body))).Decode(&rows); err != nil || got.status != http.StatusOK {
		h.Fatalf("the inbox of %s answers %d %s", as, got.status, got.body)
	}
	return rows
}

// operator makes a token of an operator.
func (h *house) operator() string {
	h.Helper()
	in := molecule.NewToken{Name: "operator", Scopes: []molecule.Scope{molecule.ScopeAgentsRead, molecule.ScopeAgentsWrite, molecule.ScopeSchedulesRead}}
	if err := h.hand.CreateToken(h.Context(), &in); err != nil {
		h.Fatal(err)
	}
	return in.Token.Reveal()
}

// online has agents ask for their state, and waits until they are believed to be
// there.
func (h *house) online(names ...string) {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), patience)
	defer cancel()
	for _, name := range names {
		h.call(name, http.MethodGet, "/workspaces/{"+name+"}/state", "")
		f := molecule.EventFilter{Types: []string{molecule.EventAgentOnline}, Subject: "agent/" + name}
		for _, err := range h.hand.WatchEvents(ctx, f) {
			if err != nil {
				h.Fatal(err)
			}
			break
		}
	}
	if ctx.Err() != nil {
		h.Fatalf("%v were not believed to be there in time", names)
	}
}

// row is what tests read of a row.
type row struct {
	ID       string  `json:"id"`
	SourceID *string `json:"source_id"`
	Data     struct {
		Source string `json:"source"`
		Text   string `json:"text"`
	} `json:"data"`
}

// texts returns what rows say.
func texts(rows []row) []string {
	said := []string{}
	for _, r := range rows {
		said = append(said, r.Data.Text)
	}
	return said
}
