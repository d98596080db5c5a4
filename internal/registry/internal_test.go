package registry

import (
	"log/slog"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestPace_isOneFiftiethOfTheAgentsWithinBounds(t *testing.T) {
	t.Parallel()
	for agents, want := range map[int64][2]int{0: {10, 11}, 500: {10, 11}, 1000: {18, 22}, 5000: {90, 110}, 6000: {108, 120}, 1e6: {108, 120}} {
		low, high := pace(agents, 0), pace(agents, 0.999999)
		if low != want[0] || high != want[1] && high != want[1]-1 {
			t.Errorf("%d agents are asked for %d to %d s, want %v", agents, low, high, want)
		}
	}
}

func TestWatchClock_leavesOutWhatWasSlept(t *testing.T) {
	t.Parallel()
	start := time.Unix(1000, 0)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	c := newWatchClock(start)
	c.skip(at(10), at(20))
	c.skip(at(20), at(25)) // the same, seen in two parts
	c.skip(at(40), at(41))
	for s, want := range map[int]int{30: 15, 39: 24, 40: 25, 41: 25, 50: 34} {
		if got := c.at(at(s)); got != int64(time.Duration(want)*time.Second) {
			t.Errorf("at %d s it reads %s, want %d s", s, time.Duration(got), want)
		}
	}
	if got := time.Duration(c.stalled()); got != 25*time.Second {
		t.Errorf("the last stall is at %s", got)
	}
}

// TestWatchClock_neverGoesBack holds that what comes later reads later, whatever
// was slept through, and that no reading is behind real time.
func TestWatchClock_neverGoesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		start := time.Unix(1000, 0)
		c, now, last := newWatchClock(start), start, int64(0)
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			d := time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "d"))
			if rapid.Bool().Draw(t, "stall") {
				c.skip(now, now.Add(d))
			}
			now = now.Add(d)
			got := c.at(now)
			if got < last || got > int64(now.Sub(start)) {
				t.Fatalf("%s reads %s behind %s", now.Sub(start), time.Duration(got), time.Duration(last))
			}
			last = got
		}
	})
}

func TestFlaps_areForgottenByHalfEveryQuarterOfAnHour(t *testing.T) {
	t.Parallel()
	var f flaps
	for range 4 {
		f.add(0)
	}
	if got := f.now(int64(flapHalf)); got != 2 {
		t.Errorf("four steps are %v a quarter of an hour later", got)
	}
	f.add(int64(2 * flapHalf))
	if f.score != 2 {
		t.Errorf("and with one more, half an hour later, %v", f.score)
	}
}

// quiet is a monitor that knows the agents, and a store of no use.
func quiet(ids ...string) *Monitor {
	m := NewMonitor(MonitorOptions{Log: slog.New(slog.DiscardHandler)})
	for _, id := range ids {
		m.learn(molecule.AgentRow{ID: id, Name: id, Kind: molecule.AgentPush, State: molecule.AgentOnline, Heard: true}, 0)
	}
	return m
}

func TestCheckpoint_isReadBack(t *testing.T) {
	t.Parallel()
	before := quiet("a", "b", "silent")
	now := time.Now()
	before.Heartbeat(now, "a", molecule.Vitals{ErrorRate: 1})
	now = now.Add(50 * time.Second)
	before.Heartbeat(now, "a", molecule.Vitals{ErrorRate: 0.2, RuntimeState: "wedged"})
	before.Heard(now, "b", molecule.RequestPoll)
	b := before.known("b")
	b.vouched, b.flaps = true, flaps{score: 5, at: before.clock.at(now), open: true}
	body := before.pack(now)

	after := quiet("a", "b", "silent")
	after.recall(now.Add(10*time.Second), body)
	a := after.known("a")
	if !a.impaired || !a.vitals.erring || !a.vitals.wedged || a.gap() < 50*time.Second || a.asked < 10 || a.since() > -int64(10*time.Second) || a.since() < -int64(10*time.Second+time.Millisecond) {
		t.Errorf("of a is known %+v %+v, silent since %s", a, a.vitals, time.Duration(a.since()))
	}
	if b := after.known("b"); !b.vouched || !b.flaps.open || b.flaps.score < 4.9 || b.impaired || b.seen != now.UnixMilli() {
		t.Errorf("of b is known %+v", b)
	}
	if s := after.known("silent"); s.seen != 0 || s.vitals != nil {
		t.Errorf("of one that was never heard is known %+v", s)
	}
}

func FuzzCheckpoint(f *testing.F) {
	m := quiet("a", "b")
	m.Heard(time.Now(), "a", molecule.RequestPoll)
	f.Add(m.pack(time.Now()))
	f.Add([]byte{checkpointVersion, 200, 'a'})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		m := quiet("a", "b")
		m.recall(time.Unix(2000, 0), body)
		for _, id := range []string{"a", "b"} {
			w := m.known(id)
			if gap := w.gap(); gap < shortestGap || gap > longestGap {
				t.Errorf("%s is expected every %s", id, gap)
			}
			if now := m.clock.at(time.Now()); w.since() > now {
				t.Errorf("%s was heard in the future", id)
			}
		}
	})
}

func BenchmarkHeartbeat(b *testing.B) {
	m := quiet("a")
	for b.Loop() {
		m.Heartbeat(time.Now(), "a", molecule.Vitals{ErrorRate: 0.1, ActiveTasks: 3, UptimeSeconds: 100, RuntimeState: "ok"})
	}
}

func BenchmarkScan(b *testing.B) {
	m := NewMonitor(MonitorOptions{Log: slog.New(slog.DiscardHandler)})
	for i := range 100_000 {
		w := m.ward(string(rune('a'+i%26)) + time.Duration(i).String())
		w.setWait(never)
	}
	b.ResetTimer()
	for b.Loop() {
		m.pulses.due(1, func(*ward) { b.Error("one is due") })
	}
}
