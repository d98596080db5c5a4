package rotation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

// SealFunc seals a value as a version of a secret.
type SealFunc = func(s molecule.StoredSecret, version int) (molecule.Sealed, error)

// Store keeps rotations. What changes one is a Conflict for who does not drive it
// any more.
type Store interface {
	StartRotation(ctx context.Context, r *molecule.Rotation, newSecretID string, seal SealFunc) error
	ClaimRotation(ctx context.Context, id string) (molecule.Rotation, error)
	NoteStep(ctx context.Context, r molecule.Rotation, s molecule.RotationStep, what string) error
	NoteRotation(ctx context.Context, r molecule.Rotation, what string) error
	MoveRotation(ctx context.Context, r *molecule.Rotation, from molecule.RotationState, what string) error
	ResealRotation(ctx context.Context, r *molecule.Rotation, from molecule.RotationState, seal SealFunc) error
	Rotation(ctx context.Context, ref string) (molecule.Rotation, error)
	Rotations(ctx context.Context, everything bool) ([]molecule.Rotation, error)
	RotationJournal(ctx context.Context, ref string) ([]molecule.JournalRow, error)
	PlaceMarkers(ctx context.Context, secret string) (map[string]string, error)
	SecretMap(ctx context.Context) (molecule.SecretMap, error)
	PutSecretMap(ctx context.Context, m molecule.SecretMap) error
}

// Prober asks about a value by a probe of the map. Its errors are as those of
// sinks.
type Prober interface {
	// Alive reports whether a value works.
	Alive(ctx context.Context, p molecule.Probe, value molecule.Secret, fill Fill) (bool, error)
	// Do does what the probe says with a value.
	Do(ctx context.Context, p molecule.Probe, value molecule.Secret, fill Fill) error
}

// Fill writes the values into a text of a probe.
type Fill func(text string) (string, error)

// Options are what an Engine needs.
type Options struct {
	Store   Store
	Vault   Vault
	Open    sink.Open
	Network sink.Network // nil: no place outside this machine is reached
	Prober  Prober       // nil: the map's own probes are left to a person
	Log     *slog.Logger
	// Pauses are between the tries of what may work a moment later; nil: 1 s, 5 s.
	Pauses []time.Duration
	// Limit bounds one question to a place; 0: 30 s.
	Limit time.Duration
}

// Engine drives rotations. Its methods may be called at any time.
type Engine struct {
	store  Store
	vault  Vault
	open   sink.Open
	net    sink.Network
	prober Prober
	log    *slog.Logger
	pauses []time.Duration
	limit  time.Duration

	reached func(point string) // called at every point where a crash is tried; nil: none is

	mu      sync.Mutex
	driven  map[string]bool
	changed chan struct{} // closed and made anew whenever a rotation moved
}

// New returns an Engine that drives nothing yet.
func New(o Options) *Engine {
	e := &Engine{
		store: o.Store, vault: o.Vault, open: o.Open, net: o.Network, prober: o.Prober, log: o.Log, pauses: o.Pauses, limit: o.Limit,
		reached: crashPoint(), driven: make(map[string]bool), changed: make(chan struct{}),
	}
	if e.pauses == nil {
		e.pauses = []time.Duration{time.Second, 5 * time.Second}
	}
	if e.limit == 0 {
		e.limit = 30 * time.Second
	}
	return e
}

// errStop ends a drive that has nothing more to do now.
var errStop = errors.New("nothing to do now")

// Drive brings a rotation as far as it goes: to its end, to its grace, or to a
// person. It returns an error only when the store or ctx failed, or another
// drives it; the rotation stays where it was then, and can be driven again.
func (e *Engine) Drive(ctx context.Context, id string) error {
	if !e.take(id) {
		return nil
	}
	defer e.leave(id)
	r, err := e.store.ClaimRotation(ctx, id)
	if err != nil {
		return fmt.Errorf("claim rotation %s: %w", id, err)
	}
	if r.By != "" { // so that what is done for somebody is audited as his
		ctx = molecule.WithPrincipal(ctx, molecule.Principal{Name: r.By, Source: "rotation"})
	}
	for !r.State.Over() && r.State != molecule.RotationHeld {
		err := e.work(ctx, &r)
		if errors.Is(err, errStop) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("rotation %s of %s, %s: %w", r.ID, r.Secret, r.State, err)
		}
	}
	return nil
}

// take marks a rotation as driven here; false when it is.
func (e *Engine) take(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	taken := e.driven[id]
	e.driven[id] = true
	return !taken
}

func (e *Engine) leave(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.driven, id)
	e.tell()
}

// tell wakes whoever waits. The lock is held.
func (e *Engine) tell() {
	close(e.changed)
	e.changed = make(chan struct{})
}

// watch returns what is closed at the next change.
func (e *Engine) watch() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changed
}

// point is where a crash is tried.
func (e *Engine) point(format string, args ...any) {
	if e.reached != nil {
		e.reached(fmt.Sprintf(format, args...))
	}
}

// note commits the state of a step.
func (e *Engine) note(ctx context.Context, r *molecule.Rotation, i int, s molecule.RotationStep, what string) error {
	e.point("%s: before noting step %d: %s", r.State, s.N, what)
	if err := e.store.NoteStep(ctx, *r, s, what); err != nil {
		return err
	}
	r.Steps[i] = s
	e.point("%s: behind noting step %d: %s", r.State, s.N, what)
	return nil
}

// move commits what follows on an event.
func (e *Engine) move(ctx context.Context, r *molecule.Rotation, on event, what string) error {
	to, ok := next(*r, on)
	if !ok {
		return molecule.Errorf(molecule.Internal, "a rotation that is %s knows no %q", r.State, on)
	}
	moved, from := *r, r.State
	moved.State = to
	if to == molecule.RotationHeld {
		moved.From = from
	}
	e.point("%s: before %s", from, on)
	if err := e.store.MoveRotation(ctx, &moved, from, what); err != nil {
		return err
	}
	*r = moved
	e.point("%s: behind %s", from, on)
	e.mu.Lock()
	e.tell()
	e.mu.Unlock()
	e.log.InfoContext(ctx, "rotation moved", "secret", r.Secret, "rotation", r.ID, "from", from, "to", to)
	return nil
}

// stop moves a rotation that cannot go on to where such a one goes.
func (e *Engine) stop(ctx context.Context, r *molecule.Rotation, place string, trouble sink.Trouble, cause error) error {
	r.Fault = &molecule.RotationFault{
		Place: place, Trouble: string(trouble), Message: molecule.Excerpt(messageOf(cause), 500), Hint: molecule.HintOf(cause),
	}
	return e.move(ctx, r, onFault(*r, trouble), "stopped: "+string(trouble))
}

// messageOf is what may be shown of an error: causes are for the log.
func messageOf(err error) string {
	if coded, ok := errors.AsType[*molecule.Error](err); ok {
		return coded.Message
	}
	return err.Error()
}

// try asks a place, again when it may answer a moment later. The error is that
// of the last try, or the end of ctx.
func (e *Engine) try(ctx context.Context, ask func(ctx context.Context) error) error {
	for i := 0; ; i++ {
		limited, cancel := context.WithTimeout(ctx, e.limit)
		err := ask(limited)
		cancel()
		if err == nil || ctx.Err() != nil || sink.TroubleOf(err) != sink.Transient || i >= len(e.pauses) {
			return err
		}
		if serr := molecule.Sleep(ctx, e.pauses[i]); serr != nil {
			return serr
		}
	}
}

// sinkOf opens the place of a step.
func (e *Engine) sinkOf(s molecule.RotationStep) (sink.Sink, error) {
	return e.open(sink.Spec{Secret: s.Secret, SinkSpec: s.Spec, Net: e.net})
}
