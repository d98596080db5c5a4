package rotation

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	_ "modernc.org/sqlite" // reads what a crash left, past the store

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

// scenario is a rotation that is struck at every of its points.
type scenario struct {
	name    string
	overlap molecule.SecretOverlap
	class   molecule.SecretClass // zero: minted
	grace   time.Duration
	outside func(w *world, old string) // what is special outside; nil: nothing
	strike  strike                     // zero: it is killed
}

// strike is what happens at a point.
type strike int

const (
	kill   strike = iota // nothing follows
	lease                // another takes it over
	noDisk               // the store takes nothing any more
)

func scenarios() []scenario {
	second := func(change func(p *place, old string)) func(*world, string) {
		return func(w *world, old string) { change(w.places[1], old) }
	}
	answers := func(times int, op string, err error) func(string) error {
		return func(did string) error {
			if did != op || times == 0 {
				return nil
			}
			times--
			return err
		}
	}
	refusal := molecule.Errorf(molecule.Forbidden, "you may not")
	return []scenario{
		{name: "dual", overlap: molecule.OverlapDual},
		{name: "alternating", overlap: molecule.OverlapAlternating, class: molecule.SecretGenerated, outside: func(w *world, _ string) {
			for _, p := range w.places {
				p.pair = true
			}
		}},
		{name: "window", overlap: molecule.OverlapWindow},
		{name: "single settable", overlap: molecule.OverlapSingleSettable, class: molecule.SecretGenerated},
		{name: "single minted", overlap: molecule.OverlapSingleMinted, outside: func(w *world, old string) { delete(w.live, old) }},
		{name: "write only", overlap: molecule.OverlapDual, outside: func(w *world, _ string) {
			for _, p := range w.places {
				p.masked = true
			}
		}},
		{name: "ambiguous timeout", overlap: molecule.OverlapDual, outside: second(func(p *place, _ string) {
			p.behind = answers(1, "put", molecule.Errorf(molecule.Timeout, "no answer came"))
		})},
		{name: "drift", overlap: molecule.OverlapDual, outside: func(w *world, old string) {
			w.places[1].looked = func() {
				if w.places[0].values[0] != old && w.places[1].values[0] == old {
					w.places[1].values[0] = stranger
				}
			}
		}},
		{name: "lost lease", overlap: molecule.OverlapDual, strike: lease},
		{name: "refused", overlap: molecule.OverlapDual, outside: second(func(p *place, _ string) { p.before = answers(1, "put", refusal) })},
		{name: "failing compensation", overlap: molecule.OverlapDual, outside: func(w *world, _ string) {
			w.places[1].before = answers(1, "put", refusal)
			puts := 0
			w.places[0].before = func(string) error {
				if puts++; puts > 1 {
					return molecule.Errorf(molecule.Unavailable, "not now")
				}
				return nil
			}
		}},
		{name: "full disk", overlap: molecule.OverlapDual, strike: noDisk},
		{name: "429", overlap: molecule.OverlapDual, outside: second(func(p *place, _ string) {
			p.before = answers(2, "put", molecule.Errorf(molecule.RateLimited, "slower"))
		})},
		{name: "clock jump", overlap: molecule.OverlapDual, grace: time.Hour},
	}
}

// crashed is what a kill is here: nothing of the engine runs behind it.
type crashed struct{}

// smallDisk is a store whose disk may be full.
type smallDisk struct {
	Store
	full atomic.Bool
}

func (f *smallDisk) check() error {
	if f.full.Load() {
		return molecule.Errorf(molecule.Unavailable, "the disk is full")
	}
	return nil
}

func (f *smallDisk) NoteStep(ctx context.Context, r molecule.Rotation, s molecule.RotationStep, what string) error {
	if err := f.check(); err != nil {
		return err
	}
	return f.Store.NoteStep(ctx, r, s, what)
}

func (f *smallDisk) NoteRotation(ctx context.Context, r molecule.Rotation, what string) error {
	if err := f.check(); err != nil {
		return err
	}
	return f.Store.NoteRotation(ctx, r, what)
}

func (f *smallDisk) MoveRotation(ctx context.Context, r *molecule.Rotation, from molecule.RotationState, what string) error {
	if err := f.check(); err != nil {
		return err
	}
	return f.Store.MoveRotation(ctx, r, from, what)
}

// sweep strikes the rotations of one scenario, one behind the other.
type sweep struct {
	*rig
	scenario
	world   *world
	store   *smallDisk
	reader  *sql.DB
	current string
	round   int
}

const swept = "TOKEN"

func newSweep(t testing.TB, sc scenario) *sweep {
	t.Helper()
	s := &sweep{scenario: sc, current: "value-0"}
	s.rig = newRig(t, func(spec sink.Spec) (sink.Sink, error) { return s.world.open(spec) })
	s.store = &smallDisk{Store: s.db}
	s.options.Store = s.store
	if s.class == "" {
		s.class = molecule.SecretMinted
	}
	entry := molecule.MappedSecret{Name: swept, Class: s.class, Overlap: s.overlap, Window: molecule.Lifetime(24 * time.Hour), Grace: molecule.Lifetime(s.grace)}
	for i := range 3 {
		entry.Sinks = append(entry.Sinks, molecule.SinkSpec{Kind: "file", Target: map[string]string{"path": "/" + strconv.Itoa(i+1)}})
	}
	if s.class == molecule.SecretMinted {
		ask := &molecule.Probe{Kind: molecule.ProbeExec, Command: []string{"/the/world"}}
		entry.Verify, entry.Revoke = ask, ask
	}
	s.apply(entry)
	s.rig.store(swept, s.current)
	var err error
	if s.reader, err = sql.Open("sqlite", "file:"+filepath.Join(s.dir, "data", "moleculed.db")+"?mode=ro"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.reader.Close() }) // it only reads
	return s
}

// trial rotates once, struck at point n of the first life and m of the second; 0
// for never. It returns how many points each had.
func (s *sweep) trial(n, m int) (first, second int) {
	s.Helper()
	s.round++
	value := fmt.Sprintf("value-%d", s.round)
	before := s.world
	s.world = newWorld(3, s.current)
	if before != nil {
		for i, p := range s.world.places {
			p.mark = before.places[i].mark
		}
	}
	if s.class == molecule.SecretMinted {
		s.world.live[value] = true
	}
	if s.outside != nil {
		s.outside(s.world, s.current)
	}
	first = s.life(n, func() {
		r, err := s.service.Begin(s.ctx, molecule.NewRotation{Secret: swept, Value: shown(value)})
		if err != nil {
			s.Fatalf("begin: %v", err)
		}
		_ = s.engine.Drive(s.ctx, r.ID) // what stops it is what is looked for below
	})
	s.check(n, m, value, false)
	second = s.life(m, func() { s.recover(n, m) })
	if m > 0 {
		s.check(n, m, value, false)
		s.life(0, func() { s.recover(n, m) })
	}
	s.check(n, m, value, true)
	s.current = s.inUse(swept)
	return first, second
}

// life runs what one life of the daemon does until it is struck at point n, and
// returns how many points it had.
func (s *sweep) life(n int, do func()) (points int) {
	s.Helper()
	s.options.Prober = s.world
	s.store.full.Store(false)
	s.restart()
	s.engine.reached = func(string) {
		if points++; points == n {
			s.struck()
		}
	}
	defer func() {
		if r := recover(); r != nil && r != any(crashed{}) {
			panic(r)
		}
	}()
	do()
	return points
}

func (s *sweep) struck() {
	switch s.strike {
	case kill:
		panic(crashed{})
	case lease:
		for _, r := range s.open() {
			if _, err := s.db.ClaimRotation(s.ctx, r.ID); err != nil {
				s.Fatal(err)
			}
		}
	case noDisk:
		s.store.full.Store(true)
	}
}

func (s *sweep) open() []molecule.Rotation {
	s.Helper()
	all, err := s.db.Rotations(s.ctx, false)
	if err != nil {
		s.Fatal(err)
	}
	return all
}

// recover is what a life does with what it finds, and a person with what is held.
func (s *sweep) recover(n, m int) {
	s.Helper()
	for turn := 0; ; turn++ {
		all := s.open()
		if len(all) == 0 {
			return
		}
		if turn > 5 {
			s.Fatalf("%s, struck at %d and %d: it never ends: %+v, fault %+v", s.name, n, m, all[0], all[0].Fault)
		}
		r := all[0]
		switch {
		case r.State == molecule.RotationHeld:
			s.world.heal(s.current)
			if _, err := s.service.Order(s.ctx, r.ID, resume); err != nil {
				s.Fatalf("%s, struck at %d and %d: %v", s.name, n, m, err)
			}
		case r.DueAt.After(time.Now()):
			time.Sleep(time.Until(r.DueAt)) // in a bubble: the clock jumps
		}
		_ = s.engine.Drive(s.ctx, r.ID) // the next turn sees where it came to
		if s.store.full.Load() {
			return
		}
	}
}

// check looks for what never may be: behind every strike, and when all is settled.
func (s *sweep) check(n, m int, value string, settled bool) {
	s.Helper()
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	in := s.inUse(swept)
	blame := s.world.blame
	if in != value && in != s.current {
		blame("the value in use is %q", in)
	}
	for _, p := range s.world.places {
		for _, held := range p.values {
			switch {
			case held == "" || held == stranger:
			case s.class == molecule.SecretMinted && !s.world.live[held] && (settled || s.overlap != molecule.OverlapSingleMinted):
				blame("%s holds a dead value", p.name)
			case !s.kept(held):
				blame("%s holds a value that nobody can open", p.name)
			}
		}
		if settled && (!slices.Contains(p.values[:], in) || p.pair && p.values[0] != "" && p.values[1] != "") {
			blame("%s holds %q while %q is in use", p.name, p.values, in)
		}
	}
	if settled && s.class == molecule.SecretMinted && (len(s.world.live) != 1 || !s.world.live[in]) {
		blame("alive are %v while %q is in use", s.world.live, in)
	}
	s.audited(in == value)
	for _, fault := range s.world.faults {
		s.Errorf("%s, struck at %d and %d, settled %v: %s", s.name, n, m, settled, fault)
	}
	s.world.faults = nil
}

// kept reports whether the vault opens a value.
func (s *sweep) kept(value string) bool {
	s.Helper()
	of, err := s.db.Secret(s.ctx, swept)
	if err != nil {
		s.Fatal(err)
	}
	for _, v := range of.Versions {
		if opened, err := s.vault.OpenVersion(s.ctx, of.ID, v.Version); err == nil && opened.Reveal() == value {
			return true
		}
	}
	return false
}

// audited checks that whatever was promoted has its rotation and its audit row, and
// nothing else has.
func (s *sweep) audited(promoted bool) {
	s.Helper()
	var current, newest, moves, rows, promotions, versions int
	err := s.reader.QueryRowContext(s.ctx, `
		SELECT (SELECT current FROM secrets WHERE name = ?1),
			(SELECT COALESCE(max(version), 0) FROM rotations WHERE promoted_at IS NOT NULL),
			(SELECT count(*) FROM events WHERE type = 'secret.rotation'),
			(SELECT count(*) FROM audit WHERE action = 'secret.rotation'),
			(SELECT count(*) FROM events WHERE type = 'secret.rotation' AND data LIKE '%"state":"promoted"%'),
			(SELECT count(*) FROM rotations WHERE promoted_at IS NOT NULL)`, swept).
		Scan(&current, &newest, &moves, &rows, &promotions, &versions)
	if err != nil {
		s.Fatal(err)
	}
	if moves != rows || promotions != versions || current != max(newest, 1) {
		s.world.blame("promoted %v: current %d, newest promoted %d; %d moves with %d audit rows; %d promotions of %d rotations",
			promoted, current, newest, moves, rows, promotions, versions)
	}
}

// TestCrash_everyPointOfEveryScenario strikes every scenario at each of its points, and looks for what never
// may be: a place with a dead value, two values that live, places that differ, a
// value that is lost, a promotion without its audit row, a value revoked before its
// last holder was done with it.
func TestCrash_everyPointOfEveryScenario(t *testing.T) {
	t.Parallel()
	var points atomic.Int64
	t.Run("scenarios", func(t *testing.T) {
		for _, sc := range scenarios() {
			t.Run(sc.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := newSweep(t, sc)
					all, _ := s.trial(0, 0)
					for n := 2; n <= all; n++ { // at the first nothing was stored, and nothing follows
						s.trial(n, 0)
						points.Add(1)
					}
				})
			})
		}
	})
	t.Logf("%d points in %d scenarios", points.Load(), len(scenarios()))
	if points.Load() < 500 {
		t.Errorf("only %d points", points.Load())
	}
}

// TestCrash_pairs strikes twice: at a point of the first life, and at one of the
// life that finds what the first left. MOLECULE_CRASH_PAIRS is every how many
// points it does so; 1 is all pairs.
func TestCrash_pairs(t *testing.T) {
	t.Parallel()
	every := 29
	if text := os.Getenv("MOLECULE_CRASH_PAIRS"); text != "" {
		var err error
		if every, err = strconv.Atoi(text); err != nil || every < 1 {
			t.Fatalf("MOLECULE_CRASH_PAIRS is %q, it must be a number from 1", text)
		}
	}
	for _, sc := range scenarios() {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSweep(t, sc)
				all, _ := s.trial(0, 0)
				pairs := 0
				for n := 2; n <= all; n += every {
					_, found := s.trial(n, 0)
					for m := 1; m <= found; m += every {
						s.trial(n, m)
						pairs++
					}
				}
				t.Logf("%d pairs", pairs)
			})
		})
	}
}
