package incident

import (
	"context"
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
	// Transitions are those of the subsystems; nil watches none.
	Transitions *supervised.Recorder
	// Subsystems names those there are: what is open of any other is over.
	Subsystems func() []string
	Log        *slog.Logger
}

// Keeper knows every incident that is open. Its Run is a subsystem; its other
// methods may be called at any time, also while Run hangs.
type Keeper struct {
	store       Store
	transitions *supervised.Recorder
	names       func() []string
	log         *slog.Logger
	subsystems  *subsystems
	wake        chan struct{} // buffered 1: there is something to write

	mu     sync.Mutex // held for a few instructions, never to write anywhere
	memory memory
}

// New returns a Keeper that knows of nothing yet.
func New(o Options) *Keeper {
	k := &Keeper{
		store: o.Store, transitions: o.Transitions, names: o.Subsystems, log: o.Log,
		wake: make(chan struct{}, 1), memory: newMemory(),
	}
	k.subsystems = newSubsystems(k)
	return k
}

// Open tells of something that is wrong. Of in it takes Kind, Subject,
// Severity, Title, Evidence and LastSeen, which is now when it is zero. When one
// of the kind and subject is open already, it is counted, and its severity only
// rises. Open returns at once; one that is not valid is only logged.
func (k *Keeper) Open(in molecule.Incident) {
	if err := in.Validate(); err != nil {
		k.log.Error("an incident is not valid", "kind", in.Kind, "subject", in.Subject, "err", err)
		return
	}
	if in.LastSeen.IsZero() {
		in.LastSeen = molecule.Now()
	}
	in.LastSeen = in.LastSeen.UTC().Truncate(time.Millisecond)
	in.Title, in.Evidence = molecule.Excerpt(in.Title, molecule.MaxTitleRunes), in.Evidence.Bounded()
	k.change(func(m *memory) error { return m.open(in) })
}

// Close says that something is over. It returns at once; what is not open stays
// as it is.
func (k *Keeper) Close(kind, subject string, at time.Time) {
	k.change(func(m *memory) error { m.close(key{kind, subject}, at); return nil })
}

// CloseOthers says that of a kind only the subjects are left: whatever else of
// it is open is over, also what was opened before the last restart.
func (k *Keeper) CloseOthers(kind string, subjects []string, at time.Time) {
	k.change(func(m *memory) error { m.closeOthers(kind, subjects, at); return nil })
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
	if urgent {
		select {
		case k.wake <- struct{}{}:
		default: // a signal is waiting already
		}
	}
}

// Count returns how many incidents are open.
func (k *Keeper) Count() int {
	k.look()
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.memory.list(molecule.IncidentFilter{}))
}

// Run writes what is known until ctx ends. A turn that fails leaves no
// heartbeat and is repeated: nothing is forgotten by it.
func (k *Keeper) Run(ctx context.Context, beat *supervised.Beat) error {
	if k.names != nil {
		k.subsystems.only(k.names())
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	rested := true
	for {
		var wake, changed <-chan struct{}
		if rested {
			wake, changed = k.wake, k.changed()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-changed:
		case <-timer.C:
			if !rested { // from here on whatever happens is worth a turn
				rested = true
				timer.Reset(turnEvery)
				continue
			}
		}
		err := beat.Tick(ctx, func(ctx context.Context) error { return k.Flush(ctx) })
		rested = false
		timer.Reset(shortRest)
		if err != nil && ctx.Err() == nil {
			k.log.WarnContext(ctx, "store incidents", "err", err)
			timer.Reset(retryAfter)
		}
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
func (k *Keeper) look() {
	now := molecule.Now()
	if k.transitions != nil {
		// Nothing is written, so that the error is at most that of another look
		// that is under way.
		_ = k.transitions.Drain(context.Background(), k.subsystems.observe)
	}
	k.subsystems.settle(now)
}

// Flush writes what is worth writing now. It is safe to call it at any time:
// to write something twice changes nothing.
func (k *Keeper) Flush(ctx context.Context) error {
	k.look()
	if err := k.load(ctx); err != nil {
		return err
	}
	for {
		batch := k.take(molecule.Now())
		if len(batch) == 0 {
			return nil
		}
		var rows []molecule.Incident
		for _, s := range batch {
			rows = append(rows, s.incident)
		}
		err := k.store.SaveIncidents(ctx, rows)
		k.settle(batch, err)
		if err != nil {
			return fmt.Errorf("save %d incidents: %w", len(rows), err)
		}
	}
}

// load learns, once, what was open before this process. A Conflict makes it
// learn again.
func (k *Keeper) load(ctx context.Context) error {
	k.mu.Lock()
	loaded := k.memory.loaded
	k.mu.Unlock()
	if loaded {
		return nil
	}
	rows, err := k.store.OpenIncidents(ctx)
	if err != nil {
		return fmt.Errorf("read open incidents: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.memory.learn(rows)
	return nil
}

func (k *Keeper) take(now time.Time) []saving {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.memory.take(now, saveBatch)
}

func (k *Keeper) settle(batch []saving, err error) {
	now := molecule.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err == nil:
		k.memory.saved(batch, now)
	default:
		k.memory.giveBack(batch)
		k.memory.loaded = k.memory.loaded && molecule.CodeOf(err) != molecule.Conflict
	}
}
