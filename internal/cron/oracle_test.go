package cron_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/cron"
)

// wallMinute is a minute as the clock on the wall shows it.
type wallMinute struct {
	at     int64 // when: seconds since 1970
	wall   int64 // what it shows, counted as if it were UTC
	date   int   // in the window's dates
	hour   int
	minute int
	jumped []wallMinute // what the clock left out before it
	shown  bool         // it was shown before, at most 30 hours ago
}

// window is a walk through real time around an instant, minute by minute; many
// expressions share it.
type window struct {
	change  int64
	minutes []wallMinute
	dates   []time.Time
}

// walkAround walks from five hours before an instant to seven behind it.
func walkAround(tb testing.TB, change int64, loc *time.Location) *window {
	tb.Helper()
	w := &window{change: change}
	begin := (change - 5*3600) / 60 * 60
	seen := make(map[int64]bool)
	previous := int64(0)
	for at := begin - 30*3600; at < change+7*3600; at += 60 {
		m := w.look(tb, time.Unix(at, 0).In(loc))
		m.shown = seen[m.wall]
		seen[m.wall] = true
		if at >= begin {
			for wall := previous + 60; wall < m.wall; wall += 60 {
				left := w.look(tb, time.Unix(wall, 0).UTC())
				left.shown = seen[wall]
				m.jumped = append(m.jumped, left)
			}
			w.minutes = append(w.minutes, m)
		}
		previous = m.wall
	}
	return w
}

// look reads the clock.
func (w *window) look(tb testing.TB, t time.Time) wallMinute {
	tb.Helper()
	y, month, d := t.Date()
	h, min, s := t.Clock()
	if s != 0 {
		tb.Fatalf("%v: an offset is not whole minutes", t)
	}
	date := time.Date(y, month, d, 0, 0, 0, 0, time.UTC)
	i := slices.Index(w.dates, date)
	if i < 0 {
		i = len(w.dates)
		w.dates = append(w.dates, date)
	}
	return wallMinute{at: t.Unix(), wall: date.Add(time.Duration(h)*time.Hour + time.Duration(min)*time.Minute).Unix(), date: i, hour: h, minute: min}
}

// slots returns what is due in the window. The policy is written here once
// more: a grid is due whenever the clock shows it; a fixed time that was left
// out is due when the clock next shows anything, unless it is skipped, and one
// that was shown before is not due, unless both are wanted.
func (n *naive) slots(w *window, due []bool, dst cron.DST) []int64 {
	names := func(m *wallMinute) bool { return due[m.date] && n.hours[m.hour] && n.minutes[m.minute] }
	var slots []int64
	for i := range w.minutes {
		m := &w.minutes[i]
		late := false
		for j := range m.jumped {
			left := &m.jumped[j]
			late = late || !n.grid && dst != cron.DSTSkip && names(left) && (dst == cron.DSTBoth || !left.shown)
		}
		if late {
			slots = append(slots, m.at)
		}
		if !names(m) || !n.grid && dst != cron.DSTBoth && m.shown {
			continue
		}
		for _, s := range n.seconds {
			if at := m.at + int64(s); !late || at != m.at {
				slots = append(slots, at)
			}
		}
	}
	return slots
}

// oracleZone stands for all zones of equal rules from 2000 to 2037.
type oracleZone struct {
	name    string
	changes []int64
}

// changesOf finds by looking at the clock every three hours when and how a zone
// changes its offset.
func changesOf(loc *time.Location) (changes []int64, rules string) {
	offset := func(at int64) int {
		_, o := time.Unix(at, 0).In(loc).Zone()
		return o
	}
	const step = 3 * 3600
	from, to := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2038, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	rules = fmt.Sprint(offset(from))
	for at, last := from, offset(from); at < to; at += step {
		next := offset(at + step)
		if next == last {
			continue
		}
		low, high := at, at+step
		for high-low > 1 {
			if mid := (low + high) / 2; offset(mid) == last {
				low = mid
			} else {
				high = mid
			}
		}
		last = next
		changes = append(changes, high)
		rules += fmt.Sprint(" ", high, " ", next)
	}
	if len(changes) == 0 {
		changes = []int64{time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC).Unix()} // any instant
	}
	return changes, rules
}

// oracleZones returns the zones with different rules.
func oracleZones(tb testing.TB, names []string) []oracleZone {
	tb.Helper()
	var zones []oracleZone
	byRules := make(map[string]bool)
	for _, name := range names {
		loc, err := time.LoadLocation(name)
		if err != nil {
			tb.Fatal(err)
		}
		changes, rules := changesOf(loc)
		if !byRules[rules] {
			byRules[rules] = true
			zones = append(zones, oracleZone{name, changes})
		}
	}
	return zones
}

// oracleExpressions draws expressions that fire, most of them at hours in which
// clocks change. They are the same in each run.
func oracleExpressions(tb testing.TB, n int) []string {
	tb.Helper()
	r := rand.New(rand.NewPCG(2026, 11))
	list := make([]string, 0, n)
	for len(list) < n {
		expr := oracleExpression(r)
		if _, err := cron.Parse(expr, cron.Options{Seconds: true}); err == nil {
			list = append(list, expr)
		} else if !strings.Contains(err.Error(), "it never fires") {
			tb.Fatalf("%q: %v", expr, err)
		}
	}
	return list
}

func oracleExpression(r *rand.Rand) string {
	pick := func(common int, usual string, rare ...string) string {
		if r.IntN(100) < common {
			return usual
		}
		return rare[r.IntN(len(rare))]
	}
	value := func(lo, hi int) string { return fmt.Sprint(lo + r.IntN(hi-lo+1)) }
	list := func(lo, hi int) string { return value(lo, hi) + "," + value(lo, hi) + "," + value(lo, hi) }
	span := func(lo, hi int) string {
		a, b := lo+r.IntN((hi-lo)/2), hi-r.IntN((hi-lo)/2)
		return fmt.Sprintf("%d-%d/%d", a, b, 1+r.IntN(max(b-a, 1)))
	}
	minute := pick(30, value(0, 59), "*", "0", "30", "*/30", "*/15", "*/7", "0-59", list(0, 59), span(0, 59), "*/20,59")
	hour := pick(45, value(0, 4), "*", "*", "*/2", "*/3", "0-5", "22-2", "23-3/2", "20-1", value(0, 23), list(0, 23), span(0, 23), "0-23")
	day := pick(60, "*", "?", "*/2", "L", "L-3", "LW", "15W", "1W", "L,15W,7", "29W", "1-7", value(1, 31), list(1, 31), span(1, 31), "25-31")
	month := pick(70, "*", "MAR-APR", "october,nov", "NOV-FEB", "*/2", "SEP-MAR", list(1, 12), span(1, 12))
	weekday := pick(60, "*", "SUN", "7", "SAT,sunday", "FRI-MON", "MON-FRI", "SUN#1", "SUN#2,SUNL", "5#5", "0-7/2", "*/2", "SUNL", "6-7", list(0, 6), "?")
	expr := strings.Join([]string{minute, hour, day, month, weekday}, " ")
	if r.IntN(10) == 0 {
		expr += " " + pick(40, "2000-2037/2", "2005-2020", "2011", "2007,2026-2030", "2020/3")
	}
	if r.IntN(14) == 0 {
		expr = pick(30, value(0, 59), "0,30", "*/20", list(0, 59), "58-59") + " " + expr
	}
	return expr
}

// oracle counts what was compared.
type oracle struct {
	windows, comparisons, slots, differences atomic.Int64
}

// judge compares Next with the walk through real time: all slots of each window
// in a chain, and the slot behind some instants beside the change.
func (o *oracle) judge(t *testing.T, zone oracleZone, exprs []string, changes []int64) {
	loc, err := time.LoadLocation(zone.name)
	if err != nil {
		t.Fatal(err)
	}
	windows := make([]*window, len(changes))
	for i, change := range changes {
		windows[i] = walkAround(t, change, loc)
	}
	o.windows.Add(int64(len(windows)))
	for _, expr := range exprs {
		n := readNaive(t, expr)
		schedules := make(map[cron.DST]*cron.Schedule)
		for _, dst := range policies() {
			s, err := cron.Parse(expr, cron.Options{TZ: zone.name, DST: dst, Seconds: true})
			if err == nil {
				schedules[dst] = &s
			} else if !strings.Contains(err.Error(), "it never fires, the clock") {
				t.Fatal(err)
			}
		}
		for _, w := range windows {
			due := make([]bool, len(w.dates))
			for i, date := range w.dates {
				due[i] = n.dueOn(t, date)
			}
			for _, dst := range policies() {
				o.comparisons.Add(1)
				want := n.slots(w, due, dst)
				o.slots.Add(int64(len(want)))
				if fault := compare(schedules[dst], w, want); fault != "" {
					if o.differences.Add(1) <= 20 {
						t.Errorf("%s, %s, %s, change at %s: %s", expr, zone.name, dst, time.Unix(w.change, 0).UTC().Format(time.RFC3339), fault)
					}
				}
			}
		}
	}
}

// every returns one of n changes, the last among them.
func every(changes []int64, n int) []int64 {
	var some []int64
	for i := len(changes) - 1; i >= 0; i -= n {
		some = append(some, changes[i])
	}
	return some
}

func policies() []cron.DST { return []cron.DST{cron.DSTVixie, cron.DSTSkip, cron.DSTBoth} }

// compare returns what differs, "" for nothing. An expression that was refused
// because no clock ever shows its times has none from now on.
func compare(s *cron.Schedule, w *window, want []int64) string {
	if s == nil {
		if len(want) > 0 && w.change > time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Unix() {
			return "it was refused and has a slot at " + utc(want[0])
		}
		return ""
	}
	begin := w.minutes[0].at
	end := w.minutes[len(w.minutes)-1].at + 59
	next := func(ref int64) int64 {
		slot, err := s.Next(time.Unix(ref, 0))
		if errors.Is(err, cron.ErrNoSlot) || err == nil && slot.Unix() > end {
			return end + 1
		}
		if err != nil {
			return -1
		}
		return slot.Unix()
	}
	ref := begin - 1
	for _, slot := range append(want, end+1) {
		got := next(ref)
		if got != slot {
			return fmt.Sprintf("behind %s Next has %s, the walk %s", utc(ref), utc(got), utc(slot))
		}
		ref = slot
	}
	for _, beside := range []int64{-3600, -1, 0, 1, 1799, 1800, 3540, 3600, 7200} {
		ref := w.change + beside
		slot := end + 1
		if i, _ := slices.BinarySearch(want, ref+1); i < len(want) {
			slot = want[i]
		}
		if got := next(ref); got != slot {
			return fmt.Sprintf("behind %s Next has %s, the walk %s", utc(ref), utc(got), utc(slot))
		}
	}
	return ""
}

func utc(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// TestOracle_agreesWithAWalkThroughRealTime holds Next against the naive reading
// for all policies around the changes of clocks from 2000 to 2037. By default it
// does so for some zones and expressions; MOLECULE_ORACLE=all takes all zones,
// all changes and 1,000 expressions (make oracle).
func TestOracle_agreesWithAWalkThroughRealTime(t *testing.T) {
	t.Parallel()
	all := os.Getenv("MOLECULE_ORACLE") == "all"
	names, count, each := zones(), 100, 6
	if all {
		list, err := os.ReadFile("zones.txt")
		if err != nil {
			t.Fatal(err)
		}
		names, count, each = strings.Fields(string(list)), 1000, 1
	}
	began := time.Now()
	exprs := oracleExpressions(t, count)
	list := oracleZones(t, names)
	var o oracle
	t.Run("zones", func(t *testing.T) {
		const parts = 8
		for part := range parts {
			t.Run(fmt.Sprint(part), func(t *testing.T) {
				t.Parallel()
				for i := part; i < len(list); i += parts {
					o.judge(t, list[i], exprs, every(list[i].changes, each))
				}
			})
		}
	})
	t.Logf("%d zones with %d different sets of rules, %d changes of clocks, %d expressions, %d policies: %d comparisons of %d slots, %d differences, %s",
		len(names), len(list), o.windows.Load(), len(exprs), len(policies()), o.comparisons.Load(), o.slots.Load(), o.differences.Load(),
		time.Since(began).Round(time.Second))
	if o.slots.Load() == 0 {
		t.Error("nothing was compared")
	}
}
