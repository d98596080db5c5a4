package cron_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/adhocore/gronx"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/molecule-ai/molecli/internal/cron"
)

// differencesFile lists where gronx and this package do not agree: expression,
// zone, reference, what gronx says, what we say, and why. none is a refusal or
// an expression without a slot.
const differencesFile = "testdata/gronx.txt"

// dialect is what both are asked in UTC, behind two references.
func dialect() []string {
	return []string{
		"* * * * *", "*/15 * * * *", "5/15 * * * *", "59/1 * * * *", "1-30/7 * * * *", "0 * * * *", "30 2 * * *", "0 8 * * MON-FRI",
		"0 8 * * 1-5", "0 8 * * 0-7", "0 8 * * 6-7", "0 8 * * sat-sun", "0 0 * * SUN", "0 0 * * 7", "0 0 1 JAN *", "0 0 1,15 * *",
		"0 0 31 * *", "0 0 29 2 *", "0 0 13 * 5", "0 0 */2 * MON", "0 0 */3 * 1,3", "0 0 ? * MON", "0 0 1-31 * MON", "0 0 1 * ?",
		"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually", "@always", "@5minutes", "@10minutes", "@15minutes",
		"@30minutes", "@everysecond", "@every 90s", "@at 2030-01-01T00:00:00Z", "@reboot", "CRON_TZ=Asia/Tokyo 0 8 * * *",
		"0 0 L * *", "0 0 L-3 * *", "0 0 LW * *", "0 0 15W * *", "0 0 1W * *", "0 0 31W * *", "0 0 29W 2 *", "0 0 L,15 * *", "0 0 10W,20W * *",
		"0 0 * * FRIL", "0 0 * * 5L", "0 0 * * 0L", "0 0 * * 7L", "0 0 * * FRI#2", "0 0 * * 5#5", "0 0 * * 7#1", "0 0 * * MON#1,FRI#3",
		"0 0 1 * 5#2", "0 0 L * 5L", "0 22-2 * * *", "0 0 * NOV-FEB *", "0 0 * * FRI-MON", "0 0 * * MONDAY", "0 0 * JANUARY *",
		"*/10 * * * * *", "30 0 8 * * *", "0 0 0 1 1 * 2027", "0 0 0 29 2 * 2028", "0 0 8 * * * 2027-2028", "0 0 8 * * * 2030/2", "0 8 * * * 2027",
		"0 0 30 2 *", "0 0 31 4,6 *", "0 0 29 2 * 2027", "0 0 * * 8L", "0 0 8L * *", "0 0 * * FRI#6", "0 0 * * 5#0", "0 0 * * L", "0 0 W * *", "0 0 L/2 * *",
		"60 0 * * *", "50-10 * * * *", "0 0 32 * *", "0 0 0 * *", "0 0 * 0 *", "*/0 * * * *", "*/90 * * * *", "H H * * *", "0 4 * * *,1", "1,,2 * * * *",
	}
}

// question is put to both.
type question struct{ expr, zone, ref string }

// questions are the dialect in UTC, and a few expressions where clocks change.
func questions() []question {
	var list []question
	for _, expr := range dialect() {
		list = append(list, question{expr, "UTC", "2026-11-23T19:00:00Z"}, question{expr, "UTC", "2024-02-28T23:59:30Z"})
	}
	for _, place := range []struct{ zone, ref string }{
		{"Europe/Berlin", "2026-03-29T00:30:00Z"}, {"Europe/Berlin", "2026-10-25T00:30:00Z"}, {"America/Santiago", "2026-09-05T12:00:00Z"},
		{"America/Santiago", "2026-04-05T02:30:00Z"}, {"America/Havana", "2026-03-08T03:00:00Z"}, {"Atlantic/Azores", "2026-03-28T12:00:00Z"},
		{"Australia/Lord_Howe", "2026-10-03T12:00:00Z"}, {"Antarctica/Troll", "2026-10-24T23:30:00Z"}, {"Pacific/Apia", "2011-12-30T09:00:00Z"},
		{"Asia/Kathmandu", "2026-11-23T19:00:00Z"},
	} {
		for _, expr := range []string{"*/15 * * * *", "0 * * * *", "0 0 * * *", "30 2 * * *", "0 8 * * 1-5", "0 0 * * SUN", "0 0 1 * *"} {
			list = append(list, question{expr, place.zone, place.ref})
		}
	}
	return list
}

// answers returns what gronx and this package say.
func (q question) answers(t *testing.T) (theirs, ours string) {
	t.Helper()
	loc, err := time.LoadLocation(q.zone)
	if err != nil {
		t.Fatal(err)
	}
	theirs, ours = "none", "none"
	ref := at(t, q.ref)
	if next, err := gronx.NextTickAfter(q.expr, ref.In(loc), false); err == nil {
		theirs = next.UTC().Format(time.RFC3339)
	}
	zone := q.zone
	if strings.Contains(q.expr, "TZ=") {
		zone = ""
	}
	if s, err := cron.Parse(q.expr, cron.Options{TZ: zone, Seconds: true}); err == nil {
		next, err := s.Next(ref)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		ours = next.Format(time.RFC3339)
	}
	return theirs, ours
}

// TestNext_differsFromTheLibraryOnlyWhereListed fails for a difference that the
// file does not list, and for a line that is no difference any more.
func TestNext_differsFromTheLibraryOnlyWhereListed(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(differencesFile)
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]bool)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndex(line, " | ")
		if i < 0 || strings.TrimSpace(line[i+3:]) == "" {
			t.Fatalf("%q gives no reason", line)
		}
		if listed[line[:i]] {
			t.Errorf("listed twice: %s", line)
		}
		listed[line[:i]] = true
	}
	for _, q := range questions() {
		theirs, ours := q.answers(t)
		line := strings.Join([]string{q.expr, q.zone, q.ref, theirs, ours}, " | ")
		switch {
		case theirs != ours && !listed[line]:
			t.Errorf("not listed in %s: %s | reason", differencesFile, line)
		case theirs != ours:
			delete(listed, line)
		}
	}
	for line := range listed {
		t.Errorf("no difference any more, remove it from %s: %s", differencesFile, line)
	}
}

// TestNext_agreesWithTheLibraryInUTC is the second opinion on the dialect: in
// UTC, and for days that every month has, gronx is right.
func TestNext_agreesWithTheLibraryInUTC(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		expr := drawExpression(t)
		s, err := cron.Parse(expr, cron.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !gronx.New().IsValid(s.Canonical()) {
			t.Fatalf("the library does not know %q", s.Canonical())
		}
		ref := drawInstant(t, time.UTC).UTC()
		got, err := s.Next(ref)
		if err != nil {
			t.Fatal(err)
		}
		want, err := gronx.NextTickAfter(expr, ref, false)
		if err != nil {
			t.Skipf("the library gives up: %v", err) // rapid draws another
		}
		if diff := cmp.Diff(got.Format(time.RFC3339), want.Format(time.RFC3339)); diff != "" {
			t.Fatalf("%s behind %v (-got +want):\n%s", expr, ref, diff)
		}
	})
}
