package supervised

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// The replays: what once went wrong unseen for half a day, on small stand-ins.
// Each must heal without a person in under a minute and leave a record.

// replay runs the subsystems the way a service manager runs a daemon: when Run
// gives up, it is started anew a second later. After half a minute it breaks
// them, waits until every one of them is healthy again, and returns the
// transitions of the whole time.
func replay(t *testing.T, specs func(s *Supervisor) []Spec, breakIt func()) []molecule.SubsystemEvent {
	t.Helper()
	var record []molecule.SubsystemEvent
	var live atomic.Pointer[Supervisor]
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			s := New(Options{})
			live.Store(s)
			for _, spec := range specs(s) {
				if err := s.Add(spec); err != nil {
					t.Error(err)
				}
			}
			_ = s.Run(ctx) // what it says is in the record as well
			for _, st := range s.Snapshot() {
				record = append(record, events(t, s, st.Name)...)
			}
			time.Sleep(time.Second)
		}
	}()
	wait(30 * time.Second)
	if !allHealthy(live.Load()) {
		t.Fatalf("not healthy to begin with: %+v", live.Load().Snapshot())
	}
	breakIt()
	broken, seen := time.Now(), false
	for {
		wait(100 * time.Millisecond)
		healthy := allHealthy(live.Load())
		seen = seen || !healthy
		if seen && healthy {
			break
		}
		if time.Since(broken) >= time.Minute {
			t.Errorf("after a minute (seen to be broken: %t): %+v", seen, live.Load().Snapshot())
			break
		}
	}
	wait(time.Minute)
	if !allHealthy(live.Load()) {
		t.Errorf("it did not last: %+v", live.Load().Snapshot())
	}
	cancel()
	<-done
	return record
}

// allHealthy reports whether every subsystem has proved that it works.
func allHealthy(s *Supervisor) bool {
	return !slices.ContainsFunc(s.Snapshot(), func(st Status) bool { return st.State != molecule.SubsystemHealthy })
}

// wantRecord fails the test unless a transition of the subsystem to that state
// says all the words.
func wantRecord(t *testing.T, record []molecule.SubsystemEvent, name string, to molecule.SubsystemState, words ...string) {
	t.Helper()
	if !slices.ContainsFunc(record, func(e molecule.SubsystemEvent) bool {
		text := fmt.Sprintf("%s\n%s\n%s", e.Error, e.BlockedIn, e.Stack)
		return e.Subsystem == name && e.To == to &&
			!slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
	}) {
		t.Errorf("no transition of %s to %s says %q; record: %+v", name, to, words, record)
	}
}

// table is a stand-in for the rows of a store. It outlives the daemon.
type table struct {
	mu     sync.Mutex
	rows   []string
	inHand string // what a loop was busy with; still set when it died
	fired  map[string]int
}

func (tb *table) do(fn func()) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	fn()
}

func (tb *table) all() (rows []string) {
	tb.do(func() { rows = slices.Clone(tb.rows) })
	return rows
}

func (tb *table) add(row string) { tb.do(func() { tb.rows = append([]string{row}, tb.rows...) }) }

func (tb *table) setAside(row string) {
	tb.do(func() { tb.rows = slices.DeleteFunc(tb.rows, func(r string) bool { return r == row }) })
}

// fire does what a row asks for. A row that cannot be parsed panics.
func (tb *table) fire(row string) error {
	if row == "* * * BAD" {
		panic("cannot parse " + row)
	}
	tb.do(func() { tb.fired[row]++ })
	return nil
}

func (tb *table) count(row string) (n int) {
	tb.do(func() { n = tb.fired[row] })
	return n
}

// One row that makes the scheduler panic must not end all others.
func TestReplay_deadOnABadRow(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		run  func(tb *table) func(context.Context, *Beat) error
		to   molecule.SubsystemState
	}{
		// As it was: the panic ends the loop. Now it is started again, and
		// begins with setting aside what it was busy with when it died.
		{"the loop dies", func(tb *table) func(context.Context, *Beat) error {
			return func(ctx context.Context, beat *Beat) error {
				tb.do(func() { tb.rows = slices.DeleteFunc(tb.rows, func(r string) bool { return r == tb.inHand }) })
				for ctx.Err() == nil {
					for _, row := range tb.all() {
						tb.do(func() { tb.inHand = row })
						_ = tb.fire(row) // outside a tick: nothing recovers it
						tb.do(func() { tb.inHand = "" })
					}
					_ = beat.Tick(ctx, good)
					time.Sleep(5 * time.Second)
				}
				return nil
			}
		}, molecule.SubsystemBackoff},
		// As it is meant: each row under its own Guard, and set aside after
		// three failures; until then no tick is good.
		{"the ticks fail", func(tb *table) func(context.Context, *Beat) error {
			failures := map[string]int{}
			return loop(5*time.Second, func(context.Context) error {
				var errs []error
				for _, row := range tb.all() {
					err := Guard(func() error { return tb.fire(row) })
					errs = append(errs, err)
					if err == nil {
						continue
					}
					if failures[row]++; failures[row] == 3 {
						tb.setAside(row)
					}
				}
				return errors.Join(errs...)
			})
		}, molecule.SubsystemStale},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tb := &table{rows: []string{"hourly"}, fired: map[string]int{}}
				before := 0
				record := replay(t, func(*Supervisor) []Spec {
					return []Spec{{Name: "scheduler", Every: 5 * time.Second, Run: tt.run(tb)}}
				}, func() {
					tb.add("* * * BAD")
					before = tb.count("hourly")
				})
				wantRecord(t, record, "scheduler", tt.to, "panic: cannot parse * * * BAD")
				if after := tb.count("hourly"); after < before+10 {
					t.Errorf("the good row fired %d times after it, want it to go on", after-before)
				}
			})
		})
	}
}

// A second goroutine that beats must not hide that the loop hangs.
func TestReplay_maskedByAPulse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		inTick   bool
		optional bool
	}{
		{"inside a tick, critical", true, false},
		{"inside a tick, optional", true, true},
		{"between two ticks, critical", false, false},
		{"between two ticks, optional", false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				var hang atomic.Bool
				var pulses atomic.Int64
				pulse := func(beat *Beat) {
					for {
						select {
						case <-release:
							return
						case <-time.After(500 * time.Millisecond):
							beat.Heartbeat()
							if err := beat.Tick(t.Context(), good); err == nil {
								t.Error("a second goroutine ticks")
							}
							pulses.Add(1)
						}
					}
				}
				run := func(ctx context.Context, beat *Beat) error {
					go pulse(beat)
					for {
						select {
						case <-ctx.Done():
							return nil
						case <-beat.C():
						}
						hangs := hang.CompareAndSwap(true, false)
						if hangs && !tt.inTick {
							hangInChannel(release)
						}
						_ = beat.Tick(ctx, func(context.Context) error {
							if hangs && tt.inTick {
								hangInChannel(release)
							}
							return nil
						})
					}
				}
				var before int64
				record := replay(t, func(*Supervisor) []Spec {
					return []Spec{{Name: "relay", Every: 5 * time.Second, EventDriven: true, Optional: tt.optional, Run: run}}
				}, func() { hang.Store(true); before = pulses.Load() })
				wantRecord(t, record, "relay", molecule.SubsystemStuck, "supervised.hangInChannel")
				if pulses.Load() < before+100 {
					t.Error("the pulse did not go on")
				}
				close(release)
			})
		})
	}
}

// A run that takes long must not keep the others from their slots.
func TestReplay_starvedByLongRuns(t *testing.T) {
	t.Parallel()
	const long = 10 * time.Minute
	tests := []struct {
		name   string
		agent  func(ctx context.Context) error
		record molecule.SubsystemState
		words  string
	}{
		{"heeds its deadline", func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(long):
				return nil
			}
		}, molecule.SubsystemStale, "deadline exceeded"},
		{"heeds nothing", func(context.Context) error { time.Sleep(long); return nil }, molecule.SubsystemStuck, "time.Sleep"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tb := &table{fired: map[string]int{}}
				// The mistake: the tick waits for the agent. What saves the rest
				// is that a slot is claimed before it is fired.
				tick := func(ctx context.Context) error {
					for _, row := range tb.all() {
						tb.setAside(row)
						if err := tt.agent(ctx); err != nil {
							return fmt.Errorf("run %s: %w", row, err)
						}
					}
					return tb.fire("quick")
				}
				before := 0
				record := replay(t, func(*Supervisor) []Spec {
					return []Spec{{Name: "scheduler", Every: 4 * time.Second, Run: loop(4*time.Second, tick)}}
				}, func() {
					tb.add("slow")
					before = tb.count("quick")
				})
				wantRecord(t, record, "scheduler", tt.record, tt.words)
				if after := tb.count("quick"); after < before+10 {
					t.Errorf("the quick row fired %d times after it, want it to go on", after-before)
				}
				time.Sleep(long) // what heeds nothing ends by itself
			})
		})
	}
}

// A transaction that nobody ends stops whoever writes, and the record of it
// too; it must end, and the record must be whole.
func TestReplay_wedgedByAHeldTransaction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		writer := make(chan struct{}, 1) // the one connection that may write
		var wedge atomic.Bool
		var written []molecule.SubsystemEvent
		var dropped uint64
		record := replay(t, func(s *Supervisor) []Spec {
			rec := s.Transitions()
			return []Spec{
				{Name: "scheduler", Every: 5 * time.Second, Run: loop(time.Second, func(context.Context) error {
					hangInTransaction(writer, nil)
					return nil
				})},
				{Name: "retention", Every: 5 * time.Second, TickLimit: 13 * time.Second, Optional: true, Run: func(run context.Context, beat *Beat) error {
					return loop(5*time.Second, func(context.Context) error {
						writer <- struct{}{}
						defer func() { <-writer }()
						if wedge.CompareAndSwap(true, false) {
							holdTransaction(run) // the wrong context: this one has no deadline
						}
						return nil
					})(run, beat)
				}},
				{Name: "recorder", EventDriven: true, Every: 5 * time.Second, Run: func(ctx context.Context, beat *Beat) error {
					for {
						select {
						case <-ctx.Done():
							return nil
						case <-rec.Wake():
						case <-beat.C():
						}
						_ = beat.Tick(ctx, func(ctx context.Context) error {
							return rec.Drain(ctx, func(ctx context.Context, events []molecule.SubsystemEvent) error {
								select {
								case writer <- struct{}{}:
								case <-ctx.Done():
									return ctx.Err()
								}
								defer func() { <-writer }()
								written, dropped = append(written, events...), rec.Dropped()
								return nil
							})
						})
					}
				}},
			}
		}, func() { wedge.Store(true) })

		wantRecord(t, record, "retention", molecule.SubsystemStuck, "supervised.holdTransaction")
		wantRecord(t, record, "scheduler", molecule.SubsystemStuck, "supervised.hangInTransaction")
		byTime := func(a, b molecule.SubsystemEvent) int {
			return 2*a.At.Compare(b.At) + strings.Compare(a.Subsystem, b.Subsystem)
		}
		ending := func(e molecule.SubsystemEvent) bool { return e.To == molecule.SubsystemStopped }
		want := slices.DeleteFunc(record, ending) // the recorder ends with the rest
		slices.SortStableFunc(want, byTime)
		slices.SortStableFunc(written, byTime)
		if diff := cmp.Diff(written, want); diff != "" || dropped != 0 {
			t.Errorf("%d dropped; in the store (-got +want):\n%s", dropped, diff)
		}
	})
}

//go:noinline
func holdTransaction(ctx context.Context) { <-ctx.Done() }
