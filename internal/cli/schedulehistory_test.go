package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// twoHours is a history of an hour in which much went wrong and of one in which
// nothing did.
func twoHours() molecule.Page[molecule.Period] {
	return molecule.Page[molecule.Period]{Items: []molecule.Period{
		{
			Start: noon().Add(-time.Hour), Runs: 60, Slots: 60, Outcomes: map[molecule.Outcome]int{molecule.OutcomeOK: 59, molecule.OutcomeQuiet: 1},
			Took: molecule.Spread{Runs: 60, SumMillis: 90_000, MaxMillis: 4000}, Lag: molecule.Spread{Runs: 60, SumMillis: 120, MaxMillis: 9},
		},
		{
			Start: noon().Add(-2 * time.Hour), Runs: 10, Slots: 49, Outcomes: map[molecule.Outcome]int{
				molecule.OutcomeOK: 2, molecule.OutcomeTimeout: 3, molecule.OutcomeFailed: 1, molecule.OutcomeEmpty: 1,
				molecule.OutcomeSkippedOverlap: 2, molecule.OutcomeMissed: 1,
			},
		},
	}}
}

func TestScheduleHistory_hasAFaceForEachReader(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, map[string][]reply{"GET /v1/schedules/hello/history": {{0, twoHours()}}})
	tests := []struct {
		name  string
		hand  hand
		flags string
		want  string
	}{
		{"a terminal", newHand(t, d).plain(120), "", "" +
			"START                 RUNS  GOOD  FAILED  MISSED  OTHER  TOOK  LONGEST  LATE  LATEST\n" +
			"2026-04-14T11:00:00Z  60    60    0       0       0      1s    4s       2ms   9ms\n" +
			"2026-04-14T10:00:00Z  10    2     ✗ 4     ! 40    3\n"},
		{"a narrow one", newHand(t, d).plain(50), "", "" +
			"START                 RUNS  GOOD  FAILED  MISSED\n" +
			"2026-04-14T11:00:00Z  60    60    0       0\n" +
			"2026-04-14T10:00:00Z  10    2     ✗ 4     ! 40\n"},
		{"a pipe", newHand(t, d), "", "" +
			"2026-04-14T11:00:00Z\t60\t60\t0\t0\t0\t1s\t4s\t2ms\t9ms\n" +
			"2026-04-14T10:00:00Z\t10\t2\t4\t40\t3\t\t\t\t\n"},
		{"names", newHand(t, d), "-o name", "2026-04-14T11:00:00Z\n2026-04-14T10:00:00Z\n"},
		{"sorted", newHand(t, d), "-o name --sort runs", "2026-04-14T10:00:00Z\n2026-04-14T11:00:00Z\n"},
	}
	for _, tt := range tests {
		got := tt.hand.run(append([]string{"schedule", "history", "hello", "--by", "hour"}, strings.Fields(tt.flags)...)...)
		if diff := cmp.Diff(got.out, tt.want); got.status != 0 || got.err != "" || diff != "" {
			t.Errorf("%s: %+v (-got +want):\n%s", tt.name, got, diff)
		}
	}
	got := newHand(t, d).run("schedule", "history", "hello", "-o", "wide")
	if want := "\tok 2, empty 1, failed 1, timeout 3, skipped_overlap 2, missed 1\n"; !strings.HasSuffix(got.out, want) {
		t.Errorf("wide ends with %q, want %q", got.out, want)
	}
	got = newHand(t, d).run("schedule", "history", "hello", "-o", "jsonl")
	if want := `"took":{"runs":60,"sum_ms":90000,"max_ms":4000},"lag":{"runs":60,"sum_ms":120,"max_ms":9}}`; !strings.Contains(got.out, want) {
		t.Errorf("as JSON it is %q, want %q in it", got.out, want)
	}
}

func TestScheduleHistory_asksForWhatWasTyped(t *testing.T) {
	t.Parallel()
	tests := []struct{ typed, want string }{
		{"", "?by=day&limit=100"},
		{"--by hour --limit 5", "?by=hour&limit=5"},
		{"--since 36h", "?by=day&limit=100&since=2026-04-13T00%3A00%3A00Z"},
		{"--since 7d", "?by=day&limit=100&since=2026-04-07T12%3A00%3A00Z"},
		{"--since 2026-01-31", "?by=day&limit=100&since=2026-01-31T00%3A00%3A00Z"},
		{"--since 2026-01-31T08:00:00+01:00", "?by=day&limit=100&since=2026-01-31T07%3A00%3A00Z"},
	}
	for _, tt := range tests {
		d := newDaemon(t, map[string][]reply{"GET /v1/schedules/hello/history": {{0, molecule.Page[molecule.Period]{}}}})
		got := newHand(t, d).run(append([]string{"schedule", "history", "hello"}, strings.Fields(tt.typed)...)...)
		if diff := cmp.Diff(d.questions(), []string{"GET /v1/schedules/hello/history" + tt.want}); got.status != 0 || diff != "" {
			t.Errorf("%q: %+v (-got +want):\n%s", tt.typed, got, diff)
		}
	}
}

func TestScheduleHistory_refusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for typed, says := range map[string]string{
		"--by week":          `✗ no span is called "week"`,
		"--by hours":         "did you mean hour?",
		"--since yesterday":  `✗ --since "yesterday" is neither a length of time nor a date`,
		"--since -3h":        "neither a length of time nor a date",
		"--since 7dd":        "write it as 36h, 7d, 2026-11-24",
		"--since 2026-02-30": "neither a length of time nor a date",
		"--sort shape":       `periods cannot be sorted by "shape"`,
	} {
		d := newDaemon(t, nil)
		got := newHand(t, d).run(append([]string{"schedule", "history", "hello"}, strings.Fields(typed)...)...)
		if got.status != wire.ExitUsage || !strings.Contains(got.err, says) || len(d.questions()) > 0 {
			t.Errorf("%q: %+v, want %q", typed, got, says)
		}
	}
}
