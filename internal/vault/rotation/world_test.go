package rotation

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

// stranger is what somebody else wrote.
const stranger = "a-strangers-value"

// world is what is outside: places that hold values, and a provider that knows
// which of them live. It outlives every crash.
type world struct {
	mu     sync.Mutex
	places []*place
	live   map[string]bool
	faults []string // what happened that never may
}

// place holds one value, or two for who takes turns.
type place struct {
	world  *world
	name   string
	values [2]string // the second of a pair only
	pair   bool
	masked bool
	mark   int
	// before and behind answer a change instead of it, or behind it; nil: never.
	before, behind func(op string) error
	looked         func() // when somebody looks; nil: nothing
}

func newWorld(n int, value string) *world {
	w := &world{live: map[string]bool{value: true}}
	for i := range n {
		w.places = append(w.places, &place{world: w, name: "place" + strconv.Itoa(i+1), values: [2]string{value}})
	}
	return w
}

func (w *world) blame(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// open opens a place by the number in its path.
func (w *world) open(s sink.Spec) (sink.Sink, error) {
	n, err := strconv.Atoi(s.Target["path"][1:])
	if err != nil {
		return nil, err
	}
	p := w.places[n-1]
	if p.pair {
		return turns{p}, nil
	}
	return sink.OfCell(p.name, cell{p}), nil
}

// heal ends all that is wrong outside.
func (w *world) heal(current string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.places {
		p.before, p.behind, p.looked = nil, nil, nil
		if p.values[0] == stranger {
			p.values[0] = current
		}
	}
}

// Alive says what lives.
func (w *world) Alive(_ context.Context, _ molecule.Probe, value molecule.Secret, _ Fill) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.live[value.Reveal()], nil
}

// Do revokes a value, which no place may hold any more.
func (w *world) Do(_ context.Context, _ molecule.Probe, value molecule.Secret, _ Fill) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.places {
		if slices.Contains(p.values[:], value.Reveal()) {
			w.blame("%s still held a value when it was revoked", p.name)
		}
	}
	delete(w.live, value.Reveal())
	return nil
}

// change changes a place, as far as its faults let it.
func (p *place) change(op string, slot int, value string) error {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	if p.before != nil {
		if err := p.before(op); err != nil {
			return err
		}
	}
	if p.values[slot] == stranger {
		p.world.blame("%s: what a stranger wrote was overwritten", p.name)
	}
	p.values[slot] = value
	p.mark++
	if p.behind != nil {
		return p.behind(op)
	}
	return nil
}

func (p *place) look() [2]string {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	if p.looked != nil {
		p.looked()
	}
	return p.values
}

// cell is a place that holds one value.
type cell struct{ *place }

func (c cell) Look(_ context.Context, ch sink.Change) (sink.State, error) {
	held := c.look()[0]
	mark := strconv.Itoa(c.mark)
	switch {
	case held == "":
		return sink.State{Holds: sink.HoldsNothing, Marker: mark}, nil
	case c.masked:
		return sink.State{Holds: ch.CompareMarker(mark), Marker: mark}, nil
	}
	return sink.State{Holds: ch.Compare(held), Value: molecule.NewSecret(held)}, nil
}

func (c cell) Put(_ context.Context, ch sink.Change, seen sink.State) error {
	if !c.masked && c.values[0] != seen.Value.Reveal() {
		return sink.Drift(c.name)
	}
	return c.change("put", 0, ch.New.Reveal())
}

func (c cell) Clear(context.Context, sink.Change, sink.State) error { return c.change("clear", 0, "") }

// turns is a place that holds two values, of which one is in use.
type turns struct{ *place }

func (t turns) Place() string { return t.name }

func (t turns) Probe(_ context.Context, c sink.Change) (sink.State, error) {
	held := t.look()
	return sink.State{Holds: c.CompareBy(func(v string) bool { return slices.Contains(held[:], v) })}, nil
}

func (t turns) Apply(ctx context.Context, c sink.Change) (sink.State, error) {
	held := t.look()
	state, err := t.Probe(ctx, c)
	if err != nil || state.Holds == sink.HoldsNew || state.Holds == sink.HoldsBoth {
		return state, err
	}
	slot := slices.Index(held[:], c.Old.Reveal())
	if slot < 0 {
		return state, sink.Drift(t.name)
	}
	if err := t.change("put", 1-slot, c.New.Reveal()); err != nil {
		return state, err
	}
	return t.Probe(ctx, c)
}

func (t turns) Verify(_ context.Context, c sink.Change) (sink.Verdict, error) {
	held := t.look()
	return sink.Differential(c.New, func(v molecule.Secret) (bool, error) { return slices.Contains(held[:], v.Reveal()), nil })
}

func (t turns) Undo(ctx context.Context, c sink.Change) (sink.State, error) {
	return t.drop(ctx, c, c.New)
}

func (t turns) Revoke(ctx context.Context, c sink.Change) (sink.State, error) {
	return t.drop(ctx, c, c.Old)
}

func (t turns) drop(ctx context.Context, c sink.Change, value molecule.Secret) (sink.State, error) {
	held := t.look()
	if slot := slices.Index(held[:], value.Reveal()); slot >= 0 {
		if err := t.change("clear", slot, ""); err != nil {
			return sink.State{}, err
		}
	}
	return t.Probe(ctx, c)
}
