package incident

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// state is a transition of the subsystem x, seconds after the start.
type state struct {
	at int
	to molecule.SubsystemState
}

func TestSubsystems_becomeIncidents(t *testing.T) {
	t.Parallel()
	const (
		starting, healthy, stale = molecule.SubsystemStarting, molecule.SubsystemHealthy, molecule.SubsystemStale
		stuck, backoff, failed   = molecule.SubsystemStuck, molecule.SubsystemBackoff, molecule.SubsystemFailed
		stopped                  = molecule.SubsystemStopped
	)
	tests := []struct {
		name  string
		story []state
		until int      // when it is looked at
		want  []string // severity, title, state, count; newest first
	}{
		{name: "a life without trouble", story: []state{{1, healthy}, {9, stopped}}, until: 9},
		{name: "one restart heals by itself", story: []state{{1, healthy}, {5, backoff}, {6, starting}, {7, healthy}}, until: 8},
		{
			name: "stale until it is healthy", story: []state{{1, healthy}, {90, stale}, {120, healthy}}, until: 120,
			want: []string{"warning x has finished no turn in time, over after 30s, seen 1"},
		},
		{
			name: "what begins as stale may get worse", story: []state{{1, healthy}, {90, stale}, {120, stuck}}, until: 130,
			want: []string{"critical x is stuck in main.wait, open, seen 2"},
		},
		{
			name: "stuck until the next life is healthy", until: 30,
			story: []state{{1, healthy}, {12, stuck}, {17, backoff}, {18, starting}, {19, healthy}},
			want:  []string{"critical x is stuck in main.wait, over after 7s, seen 1"},
		},
		{
			name: "stuck twice is two incidents", until: 30,
			story: []state{{1, healthy}, {12, stuck}, {19, healthy}, {25, stuck}},
			want:  []string{"critical x is stuck in main.wait, open, seen 1", "critical x is stuck in main.wait, over after 7s, seen 1"},
		},
		{
			name: "between two restarts it only looks healthy", until: 60,
			story: []state{{1, healthy}, {5, backoff}, {7, healthy}, {9, backoff}, {11, healthy}, {13, backoff}, {15, healthy}},
			want:  []string{"warning x has ended 3 times in 10m, open, seen 2"},
		},
		{
			name: "a minute of health ends that", until: 75,
			story: []state{{1, healthy}, {5, backoff}, {7, healthy}, {9, backoff}, {15, healthy}},
			want:  []string{"warning x has ended 2 times in 10m, over after 1m6s, seen 1"},
		},
		{
			name: "restarts that lie far apart are no trouble", until: 1000,
			story: []state{{1, healthy}, {5, backoff}, {7, healthy}, {700, backoff}, {702, healthy}},
		},
		{
			name: "failed stays until somebody helps", until: 3600,
			story: []state{{1, healthy}, {5, failed}},
			want:  []string{"critical x failed and is given up, open, seen 1"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := New(Options{Log: slog.New(slog.DiscardHandler)})
			began := molecule.Now()
			from := starting
			for _, s := range tt.story {
				at := began.Add(time.Duration(s.at) * time.Second)
				k.subsystems.settle(at)
				e := molecule.SubsystemEvent{At: at, Subsystem: "x", From: from, To: s.to, Error: "it broke"}
				if s.to == stuck {
					e.BlockedIn, e.Stack = "main.wait", "goroutine 7 [chan receive]:\nmain.wait()\n"
				}
				if err := k.subsystems.observe(t.Context(), []molecule.SubsystemEvent{e}); err != nil {
					t.Fatal(err)
				}
				from = s.to
			}
			k.subsystems.settle(began.Add(time.Duration(tt.until) * time.Second))
			var got []string
			for _, in := range k.memory.list(molecule.IncidentFilter{All: true, Kind: molecule.IncidentSubsystem, Subject: "subsystem/x"}) {
				got = append(got, tell(in))
				if in.Evidence.Error != "it broke" || in.Evidence.Facts["state"] == "" {
					t.Errorf("the evidence is %+v", in.Evidence)
				}
				if strings.Contains(in.Title, "stuck") && (in.Evidence.BlockedIn != "main.wait" || !strings.Contains(in.Evidence.Stack, "main.wait()")) {
					t.Errorf("the evidence of one that is stuck is %+v", in.Evidence)
				}
			}
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("incidents (-got +want):\n%s", diff)
			}
		})
	}
}

// tell writes an incident as one line.
func tell(in molecule.Incident) string {
	state := "open"
	if !in.Open() {
		state = "over after " + in.ClosedAt.Sub(in.FirstSeen).String()
	}
	return fmt.Sprintf("%s %s, %s, seen %d", in.Severity, in.Title, state, in.Count)
}

func TestSubsystems_thatAreNotThereAnyMoreHaveNoIncident(t *testing.T) {
	t.Parallel()
	k := New(Options{Log: slog.New(slog.DiscardHandler)})
	for _, name := range []string{"stays", "gone"} {
		k.Open(molecule.Incident{Kind: molecule.IncidentSubsystem, Subject: "subsystem/" + name, Severity: molecule.SeverityWarning, Title: "x"})
	}
	k.Open(molecule.Incident{Kind: molecule.IncidentScheduleError, Subject: "schedule/gone", Severity: molecule.SeverityWarning, Title: "x"})
	k.subsystems.only([]string{"stays", "new"})
	var open []string
	for _, in := range k.memory.list(molecule.IncidentFilter{}) {
		open = append(open, in.Subject)
	}
	if diff := cmp.Diff(open, []string{"schedule/gone", "subsystem/stays"}); diff != "" {
		t.Errorf("open (-got +want):\n%s", diff)
	}
}
