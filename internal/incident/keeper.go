package incident

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

const (
	turnEvery   = 10 * time.Second       // between turns when nothing happens
	retryAfter  = time.Second            // after a turn that failed
	shortRest   = 100 * time.Millisecond // between turns when much happens
	repeatEvery = 15 * time.Second       // between two writes of what is only counted
	saveBatch   = 200                    // incidents in one transaction
)

// Store keeps incidents for good.
type Store interface {
	// SaveIncidents stores incidents as they are now, all or none; one that
	// repeats what is stored changes nothing. A second open one of a kind and
	// subject is a Conflict.
	SaveIncidents(ctx context.Context, incidents []molecule.Incident) error
	OpenIncidents(ctx context.Context) ([]molecule.Incident, error)
	Incidents(ctx context.Context, f molecule.IncidentFilter, before string, limit int) ([]molecule.Incident, error)
	Incident(ctx context.Context, ref string) (molecule.Incident, error)
	AckIncident(ctx context.Context, ref, by string) (molecule.Incident, error)
}

// Options are what a Keeper needs.
type Options struct {
	Store Store
	// Transitions are those of the subsystems, for nobody else; nil watches none.
	Transitions *supervised.Recorder
	// Subsystems names those there are: what an earlier life left of any other is
	// over. nil asks nobody.
	Subsystems func() []string
	Log        *slog.Logger
}

// Keeper knows every incident that is open. Its Run is the subsystem
// incident-keeper; its other methods may be called at any time, also while Run
// hangs.
type Keeper struct {
	store       Store
	transitions *supervised.Recorder
	names       func() []string
	log         *slog.Logger
	subsystems  *subsystems
	wake        chan struct{} // buffered 1: there is something to write
	turn        chan struct{} // buffered 1: one Flush at a time

	mu     sync.Mutex // held for a few instructions, never to write anywhere
	memory memory
}

// New returns a Keeper that knows of nothing yet; see Load.
func New(o Options) *Keeper {
	k := &Keeper{
		store: o.Store, transitions: o.Transitions, names: o.Subsystems, log: o.Log,
		wake: make(chan struct{}, 1), turn: make(chan struct{}, 1), memory: newMemory(),
	}
	k.subsystems = newSubsystems(k)
	return k
}

// Load learns what is open in the store. It comes before everything else: what
// is opened in ignorance of the store would be a second alarm.
func (k *Keeper) Load(ctx context.Context) error {
	rows, err := k.store.OpenIncidents(ctx)
	if err != nil {
		return fmt.Errorf("read open incidents: %w", err)
	}
	k.mu.Lock()
	k.memory.learn(rows)
	k.mu.Unlock()
	if k.names != nil {
		k.subsystems.only(k.names())
	}
	return nil
}

// Open tells of something that is wrong. Of in it takes Kind, Subject,
// Severity, Title, Evidence and LastSeen, which is now when it is zero. When one
// of the kind and subject is open already, it is counted, and its severity only
// rises. Open returns at once; one that is not valid is only logged.
func (k *Keeper) Open(in molecule.Incident) {
	in.Count = 1
	if in, ok := k.accept(in, molecule.Now()); ok {
		k.change(func(m *memory) error { return m.add(in) })
	}
}

// Close says that something is over. It returns at once; what is not open stays
// as it is.
func (k *Keeper) Close(kind, subject string, at time.Time) {
	k.change(func(m *memory) error { m.close(key{kind, subject}, at); return nil })
}

// Report tells all that is wrong of a kind at one time: what is not open is
// opened, and what is open and not among it is over. Count of an incident says
// how many it speaks of; the most there were stays. Report returns at once, and
// costs no write when it repeats itself.
func (k *Keeper) Report(kind string, at time.Time, found ...molecule.Incident) {
	var valid []molecule.Incident
	for _, in := range found {
		in.Kind = kind
		if in, ok := k.accept(in, at); ok {
			valid = append(valid, in)
		}
	}
	k.change(func(m *memory) error { return m.report(kind, valid, at) })
}

// accept brings in into the form it is kept in. It reports whether it can be.
func (k *Keeper) accept(in molecule.Incident, now time.Time) (molecule.Incident, bool) {
	if err := in.Validate(); err != nil {
		k.log.Error("an incident is not valid", "kind", in.Kind, "subject", in.Subject, "err", err)
		return in, false
	}
	if in.LastSeen.IsZero() {
		in.LastSeen = now
	}
	in.LastSeen = in.LastSeen.UTC().Truncate(time.Millisecond)
	in.Title, in.Evidence = molecule.Excerpt(in.Title, molecule.MaxTitleRunes), in.Evidence.Bounded()
	return in, true
}

// change changes what is known, and wakes Run when there is something to write.
func (k *Keeper) change(do func(m *memory) error) {
	k.mu.Lock()
	err := do(&k.memory)
	urgent := k.memory.urgent()
	k.mu.Unlock()
	if err != nil {
		k.log.Error("an incident is not kept", "err", err)
	}
	if !urgent {
		return
	}
	select {
	case k.wake <- struct{}{}:
	default: // a signal is waiting already
	}
}

// Run writes what is known until ctx ends. A turn that fails leaves no
// heartbeat and is repeated: nothing is forgotten by it.
func (k *Keeper) Run(ctx context.Context, beat *supervised.Beat) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.wake:
		case <-k.changed():
		case <-timer.C:
		}
		rest, next := shortRest, turnEvery
		if err := beat.Tick(ctx, k.Flush); err != nil && ctx.Err() == nil {
			k.log.WarnContext(ctx, "store incidents", "err", err)
			rest, next = retryAfter, 0
		}
		if molecule.Sleep(ctx, rest) != nil {
			return nil
		}
		timer.Reset(next)
	}
}

// changed is ready when a subsystem changed its state.
func (k *Keeper) changed() <-chan struct{} {
	if k.transitions == nil {
		return nil
	}
	return k.transitions.Wake()
}

// look takes over what subsystems have told. It waits for nobody.
func (k *Keeper) look(ctx context.Context) {
	if k.transitions != nil {
		// Nothing is written, so that the error can only be that ctx ended.
		_ = k.transitions.Drain(ctx, k.subsystems.observe)
	}
	k.subsystems.settle(molecule.Now())
}

// Flush writes what is worth writing now. It is safe to call it at any time:
// to write something twice changes nothing.
func (k *Keeper) Flush(ctx context.Context) error {
	select {
	case k.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-k.turn }()
	k.look(ctx)
	for {
		batch := k.pending(molecule.Now())
		if len(batch) == 0 {
			return nil
		}
		rows := make([]molecule.Incident, len(batch))
		for i, s := range batch {
			rows[i] = s.incident
		}
		err := k.store.SaveIncidents(ctx, rows)
		if molecule.CodeOf(err) == molecule.Conflict { // the store knows one that we do not
			err = errors.Join(err, k.Load(ctx))
		}
		if err != nil {
			return fmt.Errorf("save %d incidents: %w", len(rows), err)
		}
		k.saved(batch, molecule.Now())
	}
}

func (k *Keeper) pending(now time.Time) []saving {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.memory.pending(now, saveBatch)
}

func (k *Keeper) saved(batch []saving, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.memory.saved(batch, now)
}
