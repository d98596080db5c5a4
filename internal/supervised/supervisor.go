package supervised

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	watchEvery  = 500 * time.Millisecond
	hangSlack   = 250 * time.Millisecond // with the above, a hang is reported within a second
	heraldGrace = time.Second            // for the last lines of the log
)

// The causes a subsystem finds in its context.
var (
	errStopping = errors.New("the supervisor is stopping")
	errAsked    = errors.New("a restart was asked for")
)

// Options is what a Supervisor may be given. The zero value works.
type Options struct {
	Log *slog.Logger // nil: none

	// StartGrace is the time from its start in which a subsystem must have
	// begun its first tick; 10 s when zero.
	StartGrace time.Duration

	// Look is the time between two looks at the subsystems, which is how late a
	// hang may be noticed; 500 ms when zero. More is for time that only seems to
	// pass.
	Look time.Duration

	// Escalate is called once for each critical subsystem that cannot be
	// healed, on a goroutine of its own, before the others are stopped. It is
	// where readiness goes off. Nil: nothing is called.
	Escalate func(name, reason string)
}

// Supervisor keeps subsystems going. It is safe for concurrent use; none of
// its answers waits for a subsystem, a log or a store.
type Supervisor struct {
	log        *slog.Logger
	startGrace time.Duration
	escalate   func(name, reason string)
	every      time.Duration // between two looks of the watch
	slack      time.Duration // see promise
	start      time.Time     // origin of the monotonic clock
	ring       *ring
	wake       chan struct{} // buffered 1: the watch should look now

	mu      sync.Mutex // guards what follows, held for a few instructions
	subs    []*subsystem
	started bool
	over    bool // from here on subsystems are stopped, and nothing is healthy
}

// New makes a Supervisor that watches nothing yet.
func New(o Options) *Supervisor {
	s := &Supervisor{
		log:        o.Log,
		startGrace: o.StartGrace,
		escalate:   o.Escalate,
		every:      o.Look,
		slack:      hangSlack,
		start:      clock().Add(-time.Nanosecond), // no reading is zero: that means never
		ring:       newRing(ringSize),
		wake:       make(chan struct{}, 1),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.every <= 0 {
		s.every = watchEvery
	}
	if s.startGrace <= 0 {
		s.startGrace = defaultStartGrace
	}
	if s.escalate == nil {
		s.escalate = func(string, string) {}
	}
	return s
}

// RunWithRecover runs a single subsystem until ctx ends, it finishes by choice
// or it cannot be healed; the error is that of [Supervisor.Run].
func RunWithRecover(ctx context.Context, spec Spec) error {
	s := New(Options{})
	if err := s.Add(spec); err != nil {
		return err
	}
	return s.Run(ctx)
}

// Add puts a subsystem on the list; Run starts them in this order. From here
// on it is judged, also when nobody ever calls Run. A bad spec is Invalid, a
// second one of the same name a Conflict, and so is any after Run began: what
// is expected is known before anything starts.
func (s *Supervisor) Add(spec Spec) error {
	spec, err := spec.withDefaults()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		return molecule.Errorf(molecule.Conflict, "subsystem %s comes after the start", spec.Name)
	}
	for _, sub := range s.subs {
		if sub.spec.Name == spec.Name {
			return molecule.Errorf(molecule.Conflict, "subsystem %s exists already", spec.Name)
		}
	}
	sub := &subsystem{
		spec:    spec,
		promise: promise{spec.Every, spec.TickLimit, s.startGrace, s.slack},
		seen:    molecule.SubsystemStarting,
	}
	sub.control.Store(&control{gen: s.newGeneration(&sub.spec, 1, s.now())})
	s.subs = append(s.subs, sub)
	return nil
}

// Run starts the subsystems and keeps them going until ctx ends, all have
// finished by choice, or a critical one cannot be healed. Then it stops them in
// reverse order, each within its StopGrace. The error names the critical one
// and the function it is blocked in, and whatever did not stop with its stack;
// after one the process should end. Run works once.
func (s *Supervisor) Run(ctx context.Context) error {
	subs, err := s.begin()
	if err != nil {
		return err
	}
	base := context.WithoutCancel(ctx) // what ctx ends is ended in order
	defer s.startHerald(base)()
	w := &watch{Supervisor: s, subs: subs, base: base}
	err = w.keep(ctx)
	s.end()
	return errors.Join(err, w.stop())
}

// Restart ends the named subsystem and starts it again at once, its failures
// forgotten; one that is waiting, failed or finished is started. One that does
// not end within its StopGrace is taken for hung, with all that follows. Restart
// returns when the wish is noted. An unknown name is NotFound.
func (s *Supervisor) Restart(name string) error {
	sub, err := s.subsystem(name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	live := s.started && !s.over
	s.mu.Unlock()
	if !live {
		return molecule.Errorf(molecule.Unavailable, "subsystem %s: the supervisor is not running", name)
	}
	sub.asked.Store(true)
	s.look()
	return nil
}

func (s *Supervisor) begin() ([]*subsystem, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		return nil, molecule.Errorf(molecule.Conflict, "the supervisor has been run already")
	}
	s.started = true
	return s.subs, nil
}

func (s *Supervisor) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}

// now reads the monotonic clock all evidence is stamped with.
func (s *Supervisor) now() time.Duration { return time.Since(s.start) }

// clock returns the time of day, for whoever reads what happened.
func clock() time.Time { return time.Now() }

// id tells this supervisor from others of the process.
func (s *Supervisor) id() string { return fmt.Sprintf("%p", s) }

// look makes the watch look now.
func (s *Supervisor) look() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Supervisor) list() []*subsystem {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.subs)
}

func (s *Supervisor) subsystem(name string) (*subsystem, error) {
	for _, sub := range s.list() {
		if sub.spec.Name == name {
			return sub, nil
		}
	}
	return nil, molecule.Errorf(molecule.NotFound, "there is no subsystem %q", name).
		WithHint("see molecli liveness")
}
