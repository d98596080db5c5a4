package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

func event(id int64) molecule.Event {
	return molecule.Event{ID: id, At: noon(), Type: molecule.EventRunFinished, Subject: "run/r1", Data: []byte(`{"outcome":"ok"}`)}
}

func eventPage(next string, ids ...int64) reply {
	page := molecule.Page[molecule.Event]{Next: next}
	for _, id := range ids {
		page.Items = append(page.Items, event(id))
	}
	return reply{0, page}
}

func TestEventList_showsTheNewestUnlessToldFromWhere(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		args  []string
		pages []reply
		out   string
		asked []string
	}{
		{"newest", []string{"--limit", "2"}, []reply{eventPage("", 9, 10)}, "9\n10\n",
			[]string{"GET /v1/events/last", "GET /v1/events?after=8&limit=1000"}},
		{"newest of a type", []string{"--limit", "2", "--type", "run."}, []reply{eventPage("x", 1, 2), eventPage("", 5)}, "2\n5\n",
			[]string{"GET /v1/events?limit=1000&type=run.", "GET /v1/events?after=2&limit=1000&type=run."}},
		{"behind an id", []string{"--limit", "2", "--after", "3"}, []reply{eventPage("x", 4, 5, 6)}, "4\n5\n",
			[]string{"GET /v1/events?after=3&limit=1000"}},
		{"all", []string{"--limit", "0", "--subject", "run/"}, []reply{eventPage("x", 1), eventPage("", 2)}, "1\n2\n",
			[]string{"GET /v1/events?limit=1000&subject=run%2F", "GET /v1/events?after=1&limit=1000&subject=run%2F"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t, map[string][]reply{"GET /v1/events": tt.pages, "GET /v1/events/last": {{0, `{"id":10}`}}})
			got := newHand(t, d).run(append([]string{"event", "list", "-o", "name"}, tt.args...)...)
			if diff := cmp.Diff(got, result{0, tt.out, ""}, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
			if diff := cmp.Diff(d.questions(), tt.asked); diff != "" {
				t.Errorf("asked, want:\n%s", diff)
			}
		})
	}
}

// stream is the body of an event stream.
func TestEventList_showsWhatIsKeptOfTheNewest(t *testing.T) {
	t.Parallel()
	gone := refusal(molecule.Gone, "the events from 1 to 4 are no longer kept", "read on behind 4")
	d := newDaemon(t, map[string][]reply{
		"GET /v1/events/last": {{0, map[string]int64{"id": 6}}},
		"GET /v1/events":      {gone, eventPage("", 5, 6)},
	})
	if got := newHand(t, d).run("event", "list", "--limit", "5", "-o", "name"); got.status != 0 || got.out != "5\n6\n" {
		t.Errorf("the newest are %+v", got)
	}
	d = newDaemon(t, map[string][]reply{"GET /v1/events": {gone}})
	for _, verb := range []string{"list", "watch"} {
		got := newHand(t, d).run("event", verb, "--after", "1")
		if got.status != wire.ExitNotFound || !strings.Contains(got.err, "the events from 1 to 4 are no longer kept\ntry: read on behind 4") {
			t.Errorf("%s behind what was pruned: %+v", verb, got)
		}
	}
}

func stream(ids ...int64) reply {
	var b strings.Builder
	b.WriteString(": hello\n\n")
	for _, id := range ids {
		fmt.Fprintf(&b, "id: %d\ndata: {\"id\":%d,\"at\":\"2026-04-14T12:00:00Z\",\"type\":\"run.finished\",\"subject\":\"run/r1\",\"data\":{\"n\":%d}}\n\n", id, id, id)
	}
	return reply{0, b.String()}
}

func TestEventWatch_goesOnAfterADropUntilTheCount(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		hand func(hand) hand
		args []string
		want string
	}{
		{"pipe", func(h hand) hand { return h }, nil,
			"7\t2026-04-14T12:00:00Z\trun.finished\trun/r1\t{\"n\":7}\n8\t2026-04-14T12:00:00Z\trun.finished\trun/r1\t{\"n\":8}\n"},
		{"terminal", func(h hand) hand { return h.plain(50) }, []string{"--tz", "UTC"},
			"2026-04-14 12:00:00 UTC  run.finished  run/r1  {\"…\n2026-04-14 12:00:00 UTC  run.finished  run/r1  {\"…\n"},
		{"name", func(h hand) hand { return h }, []string{"-o", "name"}, "7\n8\n"},
		{"json is a line each", func(h hand) hand { return h }, []string{"-o", "json"},
			`{"id":7,"at":"2026-04-14T12:00:00Z","type":"run.finished","subject":"run/r1","data":{"n":7}}` + "\n" +
				`{"id":8,"at":"2026-04-14T12:00:00Z","type":"run.finished","subject":"run/r1","data":{"n":8}}` + "\n"},
		{"yaml documents", func(h hand) hand { return h }, []string{"-o", "yaml"},
			"---\nid: 7\nat: \"2026-04-14T12:00:00Z\"\ntype: run.finished\nsubject: run/r1\ndata:\n  \"n\": 7\n" +
				"---\nid: 8\nat: \"2026-04-14T12:00:00Z\"\ntype: run.finished\nsubject: run/r1\ndata:\n  \"n\": 8\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDaemon(t, map[string][]reply{
				"GET /v1/events/last": {{0, `{"id":6}`}},
				"GET /v1/events":      {stream(7), stream(7, 8)},
			})
			got := tt.hand(newHand(t, d)).run(append([]string{"event", "watch", "--count", "2"}, tt.args...)...)
			if diff := cmp.Diff(got, result{0, tt.want, ""}, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
			asked := []string{"GET /v1/events/last", "GET /v1/events?after=6", "GET /v1/events?after=7"}
			if diff := cmp.Diff(d.questions(), asked); diff != "" {
				t.Errorf("asked, want:\n%s", diff)
			}
		})
	}
}

func TestWatch_givesUpWhenToldAndSaysSo(t *testing.T) {
	t.Parallel()
	run := endedRun("", "")
	run.State = molecule.RunStarted
	d := newDaemon(t, map[string][]reply{
		"GET /v1/runs/r1":     {{0, run}},
		"GET /v1/events/last": {{0, `{"id":6}`}},
		"GET /v1/events":      {stream()},
		"GET /v1/agents/far":  {{0, farAgent()}},
	})
	for _, args := range []string{"run watch r1", "run watch", "agent watch", "agent watch far --until online"} {
		got := newHand(t, d).run(append(strings.Fields(args), "--wait", "50ms")...)
		want := result{wire.ExitTimeout, "", "✗ gave up after 50ms\ntry: give it longer with --wait\n"}
		if diff := cmp.Diff(got, want, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("%s: got, want:\n%s", args, diff)
		}
	}
}

func TestWatch_refusesWhatWouldNeverEnd(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, map[string][]reply{"GET /v1/events/last": {{0, `{"id":6}`}}})
	for args, want := range map[string]string{
		"run watch --wait -5s":     "✗ --wait is -5s, it must not be negative\n",
		"agent watch --wait -5s":   "✗ --wait is -5s, it must not be negative\n",
		"agent watch --count -1":   "✗ --count is -1, it must not be negative\n",
		"event watch --count -100": "✗ --count is -100, it must not be negative\n",
	} {
		got := newHand(t, d).run(strings.Fields(args)...)
		if diff := cmp.Diff(got, result{wire.ExitUsage, "", want}, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("%s: got, want:\n%s", args, diff)
		}
	}
}

func TestStatus_showsWhoServes(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, map[string][]reply{"GET /v1/status": {{0, molecule.Status{
		Version: "v1.2.3", PID: 42, StartedAt: noon(), OrgID: "acme", TenantGuard: "on", DataDir: "/var/lib/moleculed",
		Listen: []string{"unix:///run/moleculed/moleculed.sock"}, SchemaVersion: 3, StoreBytes: 3 << 19, Principal: "uid:0",
	}}}})
	h := newHand(t, d)
	got := h.run("status")
	for _, want := range []string{"endpoint\t" + d.url, "version\tv1.2.3", "org\tacme", "tenant guard\ton", "store\t1.5 MiB", "schema\t3", "you are\tuid:0"} {
		if !strings.Contains(got.out, want+"\n") {
			t.Errorf("%q is not in:\n%s", want, got.out)
		}
	}
	if got := h.run("version", "--daemon"); got.status != 0 || !strings.Contains(got.out, "\nmoleculed v1.2.3\n") {
		t.Errorf("version --daemon: got %+v", got)
	}
	if got := h.run("version", "-o", "jsonl"); got.status != 0 || strings.Contains(got.out, "daemon") {
		t.Errorf("version: got %+v", got)
	}
	if got := h.run("status", "-v", "-o", "name"); got.err != "asking "+d.url+"\n" {
		t.Errorf("-v: got %+v", got)
	}
}
