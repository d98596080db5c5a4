package platform_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/platform/platformtest"
)

// inTheField is how often clients ask in tests; in the field it is a second.
const inTheField = 25 * time.Millisecond

// program is what runs until it is told to stop.
type program interface {
	Run(ctx context.Context) error
}

// begin runs a program until the test ends; stop ends it earlier and returns how
// it ended.
func (h *house) begin(p program) (stop func() error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(h.Context()))
	var running sync.WaitGroup
	var ended error
	running.Go(func() { ended = p.Run(ctx) })
	asked := false
	stop = func() error {
		asked = true
		cancel()
		running.Wait()
		return ended
	}
	h.Cleanup(func() {
		if judged := asked; stop() != nil && !judged {
			h.Errorf("the client ended with %v", ended)
		}
	})
	return stop
}

// clientOf is what a stand-in for an agent of the house begins with. It answers
// in capitals.
func (h *house) clientOf(name string) platformtest.Client {
	a := h.agents[name]
	return platformtest.Client{
		Base: h.base, ID: a.ID, Token: a.Token.Reveal(), Org: h.org, Every: inTheField, Work: strings.ToUpper,
	}
}

// everyOrg runs a test for a daemon of no organisation and for one of a tenant.
func everyOrg(t *testing.T, test func(t *testing.T, org string)) {
	for name, org := range map[string]string{"plain": "", "tenant": "acme"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, org)
		})
	}
}

// everyClient runs a test with each of the clients in the field, in both kinds of
// house.
func everyClient(t *testing.T, test func(t *testing.T, h *house, begin func(agent string) (stop func() error))) {
	t.Helper()
	for name, make := range map[string]func(platformtest.Client) program{
		"the one that polls":              func(c platformtest.Client) program { return &platformtest.Poller{Client: c} },
		"the one that watches its canvas": func(c platformtest.Client) program { return &platformtest.Canvas{Client: c} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everyOrg(t, func(t *testing.T, org string) {
				h := newHouse(t, org)
				test(t, h, func(agent string) func() error { return h.begin(make(h.clientOf(agent))) })
			})
		})
	}
}

func TestClients_areSentAScheduledPromptAndTheirReplyClosesTheRun(t *testing.T) {
	t.Parallel()
	everyClient(t, func(t *testing.T, h *house, begin func(string) func() error) {
		h.poller("helper")
		stop := begin("helper")
		s := molecule.Schedule{
			Name: "eco", Agent: "helper", Cron: "* * * * * *", Seconds: true, Prompt: "say hello",
			Timeout: molecule.Duration(patience), Policy: molecule.Policy{Overlap: molecule.OverlapSkip},
		}
		if err := h.hand.CreateSchedule(t.Context(), &s); err != nil {
			t.Fatal(err)
		}
		run := h.firstRun("eco")
		if run.Outcome != molecule.OutcomeOK || run.Reply != "SAY HELLO" || run.Trigger != molecule.TriggerCron {
			t.Errorf("the run of %s ended %s: %q %s", run.Trigger, run.Outcome, run.Reply, run.Reason)
		}
		if err := stop(); err != nil {
			t.Errorf("the client gave up: %v", err)
		}
	})
}

// firstRun waits for the first run of a schedule to end and returns it.
func (h *house) firstRun(schedule string) molecule.Run {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), patience)
	defer cancel()
	for e, err := range h.hand.WatchEvents(ctx, molecule.EventFilter{Types: []string{molecule.EventRunFinished}, Subject: "schedule/" + schedule}) {
		if err != nil {
			h.Fatal(err)
		}
		page, err := h.hand.Runs(ctx, molecule.RunFilter{Schedule: schedule, Limit: 100})
		if err != nil || len(page.Items) == 0 {
			h.Fatalf("runs behind event %d: %v, %v", e.ID, page.Items, err)
		}
		for _, r := range page.Items {
			if r.State == molecule.RunFinished && r.Outcome != molecule.OutcomeSkippedOverlap {
				return r
			}
		}
	}
	h.Fatal("no run of the schedule has ended")
	return molecule.Run{}
}

func TestClients_arePromptedByHandAndTalkToEachOther(t *testing.T) {
	t.Parallel()
	everyClient(t, func(t *testing.T, h *house, begin func(string) func() error) {
		h.poller("helper")
		h.poller("friend")
		stop := begin("helper")
		if run := h.prompt("helper", "by hand"); run.Outcome != molecule.OutcomeOK || run.Reply != "BY HAND" {
			t.Errorf("the run ended %s: %q %s", run.Outcome, run.Reply, run.Reason)
		}
		sent := h.call("friend", http.MethodPost, "/workspaces/{helper}/a2a", `{"message":{"role":"user","parts":[{"text":"from a friend"}]}}`)
		if sent.status != http.StatusAccepted {
			t.Fatalf("the message is answered %d %s", sent.status, sent.body)
		}
		got := h.rows("friend", "?wait=20")
		if diff := cmp.Diff(texts(got), []string{"FROM A FRIEND"}); diff != "" || got[0].Data.Source != "peer_agent" || *got[0].SourceID != h.agents["helper"].ID {
			t.Errorf("the friend is told %+v (-got +want):\n%s", got, diff)
		}
		if err := stop(); err != nil {
			t.Errorf("the client gave up: %v", err)
		}
	})
}

// prompt sends a prompt to an agent and returns the run when it has ended.
func (h *house) prompt(agent, text string) molecule.Run {
	h.Helper()
	run, err := h.hand.StartRun(h.Context(), molecule.NewRun{Agent: agent, Prompt: text, Timeout: molecule.Duration(patience)})
	if err == nil {
		run, err = h.hand.WaitRun(h.Context(), run.ID)
	}
	if err != nil {
		h.Fatal(err)
	}
	return run
}

func TestPoller_goesOnAfterItsCursorIsGoneAndStopsWhenItsTokenIs(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "")
	h.poller("helper")
	p := &platformtest.Poller{Client: h.clientOf("helper")}
	p.Cursor = "0199aaaa-0000-7000-8000-000000000001"
	stop := h.begin(p)
	if run := h.prompt("helper", "hi"); run.Outcome != molecule.OutcomeOK {
		t.Errorf("the run ended %s %s", run.Outcome, run.Reason)
	}
	if err := stop(); err != nil {
		t.Fatalf("it gave up: %v", err)
	}
	if err := h.hand.RemoveAgent(t.Context(), "helper"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.Run(ctx); err == nil {
		t.Error("one that was removed asks on")
	}
}

func TestCanvas_stopsWhenItIsPausedOrRemoved(t *testing.T) {
	t.Parallel()
	everyOrg(t, func(t *testing.T, org string) {
		h := newHouse(t, org)
		for name, end := range map[string]func(context.Context, string) error{
			"paused":  func(ctx context.Context, name string) error { _, err := h.hand.PauseAgent(ctx, name); return err },
			"removed": h.hand.RemoveAgent,
		} {
			h.poller(name)
			c := &platformtest.Canvas{Client: h.clientOf(name)}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			c.Turn = func() error { return end(ctx, name) } // in the middle of its first turn
			if err := c.Run(ctx); err != nil || ctx.Err() != nil {
				t.Errorf("%s: it ended with %v, %v", name, err, ctx.Err())
			}
		}
	})
}
