package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
	"github.com/molecule-ai/molecli/internal/wire"
)

// noon is the time all tests run at.
func noon() time.Time { return time.Date(2026, 4, 14, 12, 0, 0, 0, time.UTC) }

// reply is one canned answer.
type reply struct {
	status int // 0 is 200
	body   any // a string is sent as it is
}

// daemon serves canned answers by "METHOD path" and remembers what was asked.
// Of several answers for one question the last one stays.
type daemon struct {
	url string

	mu      sync.Mutex
	answers map[string][]reply
	asked   []string // "METHOD path?query body"
}

func newDaemon(tb testing.TB, answers map[string][]reply) *daemon {
	tb.Helper()
	d := &daemon{answers: answers}
	srv := httptest.NewServer(http.HandlerFunc(d.serve))
	tb.Cleanup(srv.Close)
	d.url = srv.URL
	return d
}

func (d *daemon) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a request that broke is seen by its sender
	d.mu.Lock()
	defer d.mu.Unlock()
	w.Header().Set("Date", noon().Format(http.TimeFormat))
	d.asked = append(d.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
	key := r.Method + " " + r.URL.Path
	queue := d.answers[key]
	if len(queue) == 0 {
		write(w, reply{404, wire.EncodeError(molecule.Errorf(molecule.NotFound, "not found"))})
		return
	}
	if len(queue) > 1 {
		d.answers[key] = queue[1:]
	}
	write(w, queue[0])
}

func write(w http.ResponseWriter, a reply) {
	if text, ok := a.body.(string); ok {
		if strings.HasPrefix(text, ":") {
			w.Header().Set("Content-Type", wire.TypeSSE)
		}
		_, _ = io.WriteString(w, text) // the reader may be gone
		return
	}
	w.Header().Set("Content-Type", wire.TypeJSON)
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	_ = json.NewEncoder(w).Encode(a.body) // the reader may be gone
}

// questions returns what was asked so far.
func (d *daemon) questions() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.asked...)
}

// hand is an operator at a terminal, or a script.
type hand struct {
	tb    testing.TB
	env   map[string]string
	in    string
	tty   bool
	width int

	onWrite func() // called for each write to standard output; may be nil
}

// watched calls on for each write.
type watched struct {
	io.Writer
	on func()
}

func (w watched) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if w.on != nil {
		w.on()
	}
	return n, err
}

// newHand returns a script with a home of its own, in front of d; nil is no
// daemon.
func newHand(tb testing.TB, d *daemon) hand {
	tb.Helper()
	h := hand{tb: tb, env: map[string]string{"HOME": tb.TempDir()}}
	if d != nil {
		h.env["MOLECULE_ENDPOINT"] = d.url
	}
	return h
}

// result is what a command left behind.
type result struct {
	status   int
	out, err string
}

func (h hand) run(args ...string) result { return h.runUntil(h.tb.Context(), args...) }

func (h hand) runUntil(ctx context.Context, args ...string) result {
	h.tb.Helper()
	var out, errs bytes.Buffer
	status := Main(ctx, args, Env{
		Streams: term.Streams{
			In: strings.NewReader(h.in), Out: watched{&out, h.onWrite}, Err: &errs,
			InTTY: h.tty, OutTTY: h.tty, ErrTTY: h.tty, Width: h.width,
		},
		Lookup: func(name string) (string, bool) { v, ok := h.env[name]; return v, ok },
		Now:    noon,
	})
	return result{status, out.String(), errs.String()}
}

// plain is h at a terminal without colours.
func (h hand) plain(width int) hand {
	h.tty, h.width = true, width
	env := map[string]string{"NO_COLOR": "1"}
	for k, v := range h.env {
		env[k] = v
	}
	h.env = env
	return h
}

func echoAgent() molecule.Agent {
	return molecule.Agent{
		ID: "a1b2", Name: "echo", Kind: molecule.AgentExec, State: molecule.AgentOnline, MaxConcurrent: 1,
		Exec:        &molecule.Exec{Command: "tr a-z A-Z", Argv: []string{"/usr/bin/tr", "a-z", "A-Z"}},
		LastOutcome: molecule.OutcomeOK, LastRunAt: noon().Add(-time.Minute), NextSlot: noon().Add(20 * time.Hour),
	}
}

func farAgent() molecule.Agent {
	return molecule.Agent{
		ID: "c3d4", Name: "far", Kind: molecule.AgentPush, State: molecule.AgentOffline, MaxConcurrent: 4, ActiveRuns: 2,
		URL: "https://agents.example/far", LastOutcome: molecule.OutcomeUnreachable, LastRunAt: noon().Add(-2 * time.Hour),
		LastSeen: noon().Add(-3 * time.Hour), Vitals: &molecule.Vitals{ActiveTasks: 2},
	}
}

func helloSchedule() molecule.Schedule {
	return molecule.Schedule{
		ID: "s1", Name: "hello", Agent: "echo", AgentID: "a1b2", Cron: "0 8 * * *", TZ: "Europe/Berlin", Prompt: "say hello",
		Description: "at 08:00, every day, Europe/Berlin", State: molecule.ScheduleActive, Timeout: molecule.Duration(20 * time.Minute),
		NextSlot: noon().Add(18 * time.Hour), LastSlot: noon(), LastEndedSlot: noon().Add(-6 * time.Hour), LastOutcome: molecule.OutcomeOK,
		Recent: []molecule.Outcome{molecule.OutcomeOK, molecule.OutcomeTimeout, molecule.OutcomeMissed, molecule.OutcomeQuiet, molecule.OutcomeOK},
	}
}

func endedRun(o molecule.Outcome, said string) molecule.Run {
	r := molecule.Run{
		ID: "0190a1b2-c3d4-7e5f-8000-00000000000a", Schedule: "hello", Agent: "echo", Trigger: molecule.TriggerManual,
		Slot: noon(), Slots: 1, State: molecule.RunFinished, Outcome: o, Attempt: 1,
		StartedAt: noon(), EndedAt: noon().Add(3 * time.Second),
	}
	if o.Good() {
		r.Reply = said
	} else {
		r.Reason = said
	}
	return r
}

func alive(states map[string]molecule.Subsystem) molecule.Liveness {
	return molecule.Liveness{
		Healthy: true, Subsystems: states,
		Agents:    molecule.AgentCounts{Online: 2, Offline: 1, Paused: 4},
		Schedules: molecule.ScheduleCounts{OnTime: 3, Failing: 1},
	}
}

func subsystem(state molecule.SubsystemState) molecule.Subsystem {
	at, ago := noon().Add(-12*time.Second), 12.0
	return molecule.Subsystem{State: state, LastTickAt: &at, SecondsAgo: &ago, EverySeconds: 30}
}

func refusal(code molecule.Code, message, hint string) reply {
	return reply{wire.Status(code), wire.ErrorBody{Error: wire.ErrorDetail{Code: code.String(), Message: message, Hint: hint}}}
}
