package e2e_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // reads what the daemon left

	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	crashSchedules = 500 // each with a slot every second
	crashAgents    = 100
	crashKills     = 100 // unless MOLECULE_CRASH_KILLS says otherwise
)

// TestCrash kills the daemon at random points while it fires 500 slots a second,
// and wants the story of every slot: covered by exactly one row, ended, sent
// once, or under one message id however often it was sent. What a kill leaves on
// its way is sent again for every other schedule.
func TestCrash(t *testing.T) {
	t.Parallel()
	kills := crashKills
	if s := os.Getenv("MOLECULE_CRASH_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatalf("MOLECULE_CRASH_KILLS: %v", err)
		}
	}
	seed := rand.Uint64()
	t.Logf("%d kills, seed %d", kills, seed)
	c := newCrashing(t, rand.New(rand.NewPCG(seed, 1)))
	c.setUp()
	for range kills {
		life := c.start()
		select {
		case <-time.After(time.Duration(c.rnd.Int64N(int64(1500 * time.Millisecond)))):
		case <-life.gone:
			t.Fatalf("the daemon ended by itself:\n%s", life.log.String())
		}
		life.kill(os.Kill)
	}
	c.settle()
	c.judge(kills)
}

// crashing is a daemon that is killed, its agents and what was laid for it.
type crashing struct {
	t      *testing.T
	rnd    *rand.Rand
	bin    string
	dir    string
	data   string
	client *client.Client
	sink   *sink
	agents string   // URL of the sink
	args   []string // more of serve
	slots  map[string]*span
}

// span is from the first slot of a schedule to the last that has to have a row.
type span struct {
	first, last time.Time
	resent      bool // what nobody knows the fate of is sent again
}

func newCrashing(t *testing.T, rnd *rand.Rand) *crashing {
	t.Helper()
	dir, err := os.MkdirTemp("", "crash") // short: the path of a socket is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := &crashing{
		t: t, rnd: rnd, dir: dir, data: filepath.Join(dir, "d"), bin: filepath.Join(dir, "moleculed"),
		sink: &sink{sent: make(map[string]map[string]int)}, slots: make(map[string]*span),
	}
	build := exec.Command("go", "build", "-o", c.bin, "github.com/molecule-ai/molecli/cmd/moleculed")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	server := httptest.NewServer(c.sink)
	t.Cleanup(server.Close)
	c.agents = server.URL
	c.client, err = client.New(client.Options{Endpoint: c.socket()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *crashing) socket() string { return "unix://" + filepath.Join(c.dir, "s") }

// life is one process of the daemon.
type life struct {
	cmd  *exec.Cmd
	log  *strings.Builder
	gone chan struct{} // closed when it has ended
}

func (c *crashing) start() *life {
	c.t.Helper()
	args := append([]string{"serve", "--data-dir", c.data, "--listen", c.socket()}, c.args...)
	l := &life{cmd: exec.Command(c.bin, args...), log: new(strings.Builder), gone: make(chan struct{})}
	l.cmd.Stderr = l.log
	if err := l.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	var waiting sync.WaitGroup
	waiting.Go(func() {
		_ = l.cmd.Wait() // how it ended is judged by what it left
		close(l.gone)
	})
	c.t.Cleanup(func() {
		_ = l.cmd.Process.Kill() // it may be gone
		waiting.Wait()
	})
	return l
}

// kill ends the process and waits until it is gone.
func (l *life) kill(sig os.Signal) {
	_ = l.cmd.Process.Signal(sig) // it may be gone
	<-l.gone
}

// setUp makes the agents and schedules, by the daemon itself.
func (c *crashing) setUp() {
	c.t.Helper()
	l := c.start()
	ctx := c.t.Context()
	c.eventually("the daemon to be ready", func() bool {
		_, err := c.client.Status(ctx)
		return err == nil
	})
	for i := range crashAgents {
		a := molecule.Agent{Name: fmt.Sprintf("agent-%d", i), Kind: molecule.AgentPush, URL: c.agents, MaxConcurrent: 5}
		if err := c.client.CreateAgent(ctx, &a); err != nil {
			c.t.Fatal(err)
		}
	}
	for i := range crashSchedules {
		name := fmt.Sprintf("schedule-%d", i)
		s := molecule.Schedule{
			Name: name, Agent: fmt.Sprintf("agent-%d", i%crashAgents), Cron: "* * * * * *", Seconds: true, Prompt: name,
			// Its slots are whole seconds, and each schedule is due at another moment.
			Policy: molecule.Policy{Jitter: molecule.Duration(time.Second), Resend: molecule.ResendNever},
		}
		if i%2 == 1 {
			s.Resend = molecule.ResendSafe
		}
		if err := c.client.CreateSchedule(ctx, &s); err != nil {
			c.t.Fatal(err)
		}
		c.slots[name] = &span{first: s.NextSlot, resent: i%2 == 1}
	}
	l.kill(os.Interrupt)
}

// eventually asks until it is true, for at most a minute.
func (c *crashing) eventually(what string, ask func() bool) {
	c.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(time.Minute)
	for !ask() {
		select {
		case <-tick.C:
		case <-end:
			c.t.Fatalf("waited a minute for %s", what)
		}
	}
}

// store opens what a dead daemon left.
func (c *crashing) store() *sql.DB {
	c.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(c.data, "moleculed.db")+"?_txlock=immediate")
	if err != nil {
		c.t.Fatal(err)
	}
	return db
}

// settle takes the slots away, lets the daemon finish every story, and stops it.
func (c *crashing) settle() {
	c.t.Helper()
	l := c.start()
	ctx := c.t.Context()
	c.eventually("the daemon to be ready", func() bool {
		_, err := c.client.Status(ctx)
		return err == nil
	})
	for name, slots := range c.slots {
		s, err := c.client.Schedule(ctx, name)
		if err != nil || s.State != molecule.ScheduleActive || s.NextSlot.IsZero() {
			c.t.Fatalf("%s is %s (%s), its next slot %v, %v", name, s.State, s.Reason, s.NextSlot, err)
		}
		slots.last = s.NextSlot.Add(-time.Second)
		if _, err := c.client.PauseSchedule(ctx, name); err != nil {
			c.t.Fatal(err)
		}
	}
	c.eventually("every run to end", func() bool {
		page, err := c.client.Runs(ctx, molecule.RunFilter{Open: true, Limit: 1})
		return err == nil && len(page.Items) == 0
	})
	l.kill(os.Interrupt)
}

// row is one run as the daemon left it.
type row struct{ schedule, slot, last, state, outcome, message string }

// judge reads the rows and what the agents got.
func (c *crashing) judge(kills int) {
	c.t.Helper()
	db := c.store()
	defer db.Close()
	var sound string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&sound); err != nil || sound != "ok" {
		c.t.Errorf("the database is %q, %v", sound, err)
	}
	rows, err := db.Query(`
		SELECT s.name, r.slot, COALESCE(r.slot_to, r.slot), r.state, COALESCE(r.outcome, ''), r.message_id
		FROM runs r JOIN schedules s ON s.id = r.schedule_id ORDER BY s.name, r.slot`)
	if err != nil {
		c.t.Fatal(err)
	}
	defer rows.Close()
	var before row
	slots, resent, seen := 0, 0, 0
	outcomes := make(map[string]int)
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.schedule, &r.slot, &r.last, &r.state, &r.outcome, &r.message); err != nil {
			c.t.Fatal(err)
		}
		if before.schedule != r.schedule {
			seen++
			c.begins(before, r)
		}
		slots += c.follows(before, r)
		outcomes[r.outcome]++
		deliveries := c.sink.take(r.message, r.schedule)
		if r.outcome == "ok" && deliveries == 0 {
			c.t.Errorf("%+v is ok and its agent never got it", r)
		}
		if deliveries > 1 && !c.slots[r.schedule].resent {
			c.t.Errorf("%+v came %d times, and its schedule has nothing sent again", r, deliveries)
		}
		resent += max(deliveries-1, 0)
		before = r
	}
	if err := rows.Err(); err != nil {
		c.t.Fatal(err)
	}
	c.begins(before, row{})
	if seen != crashSchedules {
		c.t.Errorf("%d of %d schedules have rows", seen, crashSchedules)
	}
	if left := c.sink.left(); len(left) > 0 {
		c.t.Errorf("agents got %d prompts no row knows: %.2000v", len(left), left)
	}
	if outcomes["ok"] < kills*crashSchedules/10 {
		c.t.Errorf("only %d runs were ok: the daemon hardly fired", outcomes["ok"])
	}
	if resent == 0 {
		c.t.Error("nothing was sent again: no kill met a prompt on its way, and nothing is known of the message id of what is")
	}
	c.t.Logf("%d kills, %d slots, outcomes of their rows %v, %d sent again", kills, slots, outcomes, resent)
}

// begins wants the rows of one schedule to reach to its last slot, and those of
// the next to begin with its first.
func (c *crashing) begins(before, r row) {
	c.t.Helper()
	if before.schedule != "" {
		if want := c.slots[before.schedule].last; c.instant(before.last).Before(want) {
			c.t.Errorf("%+v is the last row, want rows up to %v", before, want)
		}
	}
	if r.schedule != "" {
		if want := c.slots[r.schedule].first; !c.instant(r.slot).Equal(want) {
			c.t.Errorf("%+v is the first row, want one of %v", r, want)
		}
	}
}

// follows wants r to have ended, and to begin a second behind the last slot of
// the row before it. It returns how many slots r covers.
func (c *crashing) follows(before, r row) int {
	c.t.Helper()
	if r.state != "finished" || r.outcome == "" {
		c.t.Errorf("%+v has not ended", r)
	}
	first, last := c.instant(r.slot), c.instant(r.last)
	if before.schedule == r.schedule && !first.Equal(c.instant(before.last).Add(time.Second)) {
		c.t.Errorf("%+v does not follow %+v", r, before)
	}
	return int(last.Sub(first)/time.Second) + 1
}

// instant reads an instant as the database writes it.
func (c *crashing) instant(text string) time.Time {
	c.t.Helper()
	t, err := time.Parse("2006-01-02T15:04:05.000Z", text)
	if err != nil {
		c.t.Fatal(err)
	}
	return t
}

// sink is every agent: it speaks A2A 0.3, takes up to 50 ms and notes what it got.
type sink struct {
	mu   sync.Mutex
	sent map[string]map[string]int // by message id, how often each prompt came
}

// ServeHTTP implements http.Handler.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodGet {
		_, _ = fmt.Fprintf(w, `{"name":"sink","protocolVersion":"0.3.0","url":"http://%s/","preferredTransport":"JSONRPC","version":"1"}`, r.Host)
		return
	}
	var call struct {
		ID     json.RawMessage
		Params struct {
			Message struct {
				MessageID string
				Parts     []struct{ Text string }
			}
		}
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(raw, &call) != nil || len(call.Params.Message.Parts) == 0 {
		return // whoever asked was killed in the middle of it
	}
	s.note(call.Params.Message.MessageID, call.Params.Message.Parts[0].Text)
	ctx, cancel := context.WithTimeout(r.Context(), rand.N(50*time.Millisecond))
	defer cancel()
	<-ctx.Done() // at work
	_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"kind":"message","messageId":"m","role":"agent","parts":[{"kind":"text","text":"done"}]}}`, call.ID)
}

func (s *sink) note(message, prompt string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent[message] == nil {
		s.sent[message] = make(map[string]int)
	}
	s.sent[message][prompt]++
}

// take returns how often a prompt came under a message id, and forgets it.
func (s *sink) take(message, prompt string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.sent[message][prompt]
	delete(s.sent[message], prompt)
	if len(s.sent[message]) == 0 {
		delete(s.sent, message)
	}
	return n
}

// left returns what came and was not taken.
func (s *sink) left() map[string]map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}
