// Package sinktest is the suite that every kind of sink passes: it is asked before
// it is written, writes once, proves what it wrote against a value it never had,
// takes it back, and leaves alone what a stranger wrote.
//
// A kind brings a [Rig] for each test: a fresh place that holds nothing, and the
// ways in which the world beside us reads, changes and cuts it off. Start with
// [Run].
package sinktest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

// Rig is a fresh place that holds nothing yet.
type Rig struct {
	Sink       sink.Sink
	Credential molecule.Secret

	// Accepts reports whether whoever uses the copy gets on with a value. A zero
	// value asks whether there is none.
	Accepts func(value molecule.Secret) bool
	// Tamper puts a value there behind our back.
	Tamper func(value string)
	// Cut makes the sink unreachable, or unwritable.
	Cut func()

	Masked     bool // it shows nobody what it holds
	KeepsOld   bool // the old value is right until it is revoked
	NoClearing bool // a first value that is taken back leaves what cannot be removed
	// Holds are values beside the ordinary ones that it has to hold; Rejects are
	// such that it cannot hold, and has to say so before it writes.
	Holds, Rejects []string
}

// Values that any sink holds. They are long enough to be found in a text.
var (
	first   = molecule.NewSecret("first-4fT7wq0ZkYp1") // never written
	second  = molecule.NewSecret("second-Rm29sXv8LcJd")
	foreign = "foreign-Nb5uHg3Qa6Te"
)

// Run runs the suite. open makes a fresh rig.
func Run(t *testing.T, open func(t testing.TB) Rig) {
	t.Helper()
	for _, tt := range []struct {
		name string
		test func(t *testing.T, r Rig)
	}{
		{"an empty place is written and proved", writesEmpty},
		{"the old value gives way to the new one", replaces},
		{"a step that is repeated changes nothing", repeats},
		{"asking changes nothing", asks},
		{"what a stranger wrote stays", keepsForeign},
		{"an undo brings the old value back", undoes},
		{"an undo of the first value leaves none", undoesFirst},
		{"an undo of what was not done does nothing", undoesNothing},
		{"an undo leaves what a stranger wrote", undoKeepsForeign},
		{"revoking ends the old value", revokes},
		{"a value that is not there is not proved", provesNothing},
		{"a place out of reach is known before it is written", knowsUnreachable},
		{"a value comes through byte for byte or is rejected", keepsBytes},
		{"an empty value is refused", refusesEmpty},
		{"an ended context ends it", endsWithContext},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(t, open(t))
		})
	}
}

func (r Rig) change(from, to molecule.Secret) sink.Change {
	return sink.Change{Old: from, New: to, Credential: r.Credential, ID: "step-1"}
}

// apply applies a change, which has to work, and returns it as it is known from
// then on.
func (r Rig) apply(t *testing.T, c sink.Change) sink.Change {
	t.Helper()
	state, err := r.Sink.Apply(t.Context(), c)
	must(t, "apply", err)
	r.holds(t, "apply", state, c, sink.HoldsNew)
	c.Marker = state.Marker
	return c
}

// holds checks a state, which may be masked and may keep an old value beside the
// new one.
func (r Rig) holds(t *testing.T, step string, state sink.State, c sink.Change, want sink.Holds) {
	t.Helper()
	switch {
	case r.Masked && want != sink.HoldsNothing:
		want = sink.HoldsUnknown
	case r.KeepsOld && want == sink.HoldsNew && !c.Old.IsZero() && step != "revoke":
		want = sink.HoldsBoth
	}
	if state.Holds != want {
		t.Errorf("%s: it holds %s, want %s", step, state.Holds, want)
	}
	secretFree(t, step, fmt.Sprintf("%+v", state))
}

// accepted checks what the world beside us gets on with.
func (r Rig) accepted(t *testing.T, step string, value molecule.Secret, want bool) {
	t.Helper()
	if got := r.Accepts(value); got != want {
		what := value.Reveal()
		if value.IsZero() {
			what = "no value"
		}
		t.Errorf("%s: %s is accepted: %v, want %v", step, what, got, want)
	}
}

func must(t *testing.T, step string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v (cause %v)", step, err, errors.Unwrap(err))
	}
}

// secretFree checks that a text holds no value.
func secretFree(t *testing.T, step, text string) {
	t.Helper()
	for _, value := range []string{first.Reveal(), second.Reveal(), foreign} {
		if strings.Contains(text, value) {
			t.Errorf("%s: a value is in the text %q", step, text)
		}
	}
}

// failed checks that an error came, of one of the troubles, that quotes no value.
func failed(t *testing.T, step string, err error, want ...sink.Trouble) {
	t.Helper()
	got := sink.TroubleOf(err)
	for _, w := range want {
		if got == w {
			secretFree(t, step, err.Error()+molecule.HintOf(err))
			return
		}
	}
	t.Errorf("%s: got %q from %v, want one of %q", step, got, err, want)
}

func writesEmpty(t *testing.T, r Rig) {
	c := r.change(molecule.Secret{}, first)
	state, err := r.Sink.Probe(t.Context(), c)
	must(t, "probe", err)
	r.holds(t, "probe", state, c, sink.HoldsNothing)
	if mark := state.Fingerprint(func(molecule.Secret) string { return "made" }); mark != "" {
		t.Errorf("nothing has the fingerprint %q", mark)
	}
	c = r.apply(t, c)
	r.accepted(t, "behind it", first, true)
	r.proves(t, c, sink.Proved)
}

func (r Rig) proves(t *testing.T, c sink.Change, want sink.Verdict) {
	t.Helper()
	if r.Masked {
		want = sink.Unproved
	}
	verdict, err := r.Sink.Verify(t.Context(), c)
	must(t, "verify", err)
	if verdict != want {
		t.Errorf("verify: got %s, want %s", verdict, want)
	}
}

// written returns a rig that holds the first value, and the change to the second.
func (r Rig) written(t *testing.T) sink.Change {
	t.Helper()
	marker := r.apply(t, r.change(molecule.Secret{}, first)).Marker
	c := r.change(first, second)
	c.Marker = marker
	return c
}

func replaces(t *testing.T, r Rig) {
	c := r.apply(t, r.written(t))
	r.accepted(t, "behind it", second, true)
	r.accepted(t, "behind it", first, r.KeepsOld)
	r.proves(t, c, sink.Proved)
}

func repeats(t *testing.T, r Rig) {
	c := r.apply(t, r.written(t))
	c = r.apply(t, c)
	c.Marker = "" // what one knows who died behind the write
	r.apply(t, c)
	r.accepted(t, "behind it", second, true)
}

func asks(t *testing.T, r Rig) {
	c := r.written(t)
	for range 2 {
		state, err := r.Sink.Probe(t.Context(), c)
		must(t, "probe", err)
		r.holds(t, "probe", state, c, sink.HoldsOld)
		want := "made"
		if state.Value.IsZero() {
			want = "unknown"
		}
		if mark := state.Fingerprint(func(molecule.Secret) string { return "made" }); mark != want {
			t.Errorf("the fingerprint is %q, want %q", mark, want)
		}
	}
	r.accepted(t, "behind it", first, true)
	r.accepted(t, "behind it", second, false)
}

func keepsForeign(t *testing.T, r Rig) {
	c := r.written(t)
	r.Tamper(foreign)
	state, err := r.Sink.Probe(t.Context(), c)
	must(t, "probe", err)
	if state.Holds != sink.HoldsOther {
		t.Errorf("probe: it holds %s, want %s", state.Holds, sink.HoldsOther)
	}
	_, err = r.Sink.Apply(t.Context(), c)
	failed(t, "apply", err, sink.Drifted)
	if code := molecule.CodeOf(err); code != molecule.Conflict {
		t.Errorf("drift has the code %s, want conflict", code)
	}
	r.accepted(t, "behind it", molecule.NewSecret(foreign), true)
	r.accepted(t, "behind it", second, false)
}

func undoes(t *testing.T, r Rig) {
	c := r.apply(t, r.written(t))
	for range 2 {
		state, err := r.Sink.Undo(t.Context(), c)
		must(t, "undo", err)
		r.holds(t, "undo", state, c, sink.HoldsOld)
		c.Marker = state.Marker
		r.accepted(t, "behind it", first, true)
		r.accepted(t, "behind it", second, false)
	}
}

func undoesFirst(t *testing.T, r Rig) {
	c := r.apply(t, r.change(molecule.Secret{}, first))
	state, err := r.Sink.Undo(t.Context(), c)
	must(t, "undo", err)
	r.holds(t, "undo", state, c, sink.HoldsNothing)
	r.accepted(t, "behind it", first, false)
	if !r.NoClearing {
		r.accepted(t, "behind it", molecule.Secret{}, true)
	}
}

func undoesNothing(t *testing.T, r Rig) {
	c := r.written(t)
	state, err := r.Sink.Undo(t.Context(), c)
	must(t, "undo", err)
	r.holds(t, "undo", state, c, sink.HoldsOld)
	r.accepted(t, "behind it", first, true)
}

func undoKeepsForeign(t *testing.T, r Rig) {
	c := r.apply(t, r.written(t))
	r.Tamper(foreign)
	_, err := r.Sink.Undo(t.Context(), c)
	failed(t, "undo", err, sink.Drifted)
	r.accepted(t, "behind it", molecule.NewSecret(foreign), true)
}

func revokes(t *testing.T, r Rig) {
	c := r.apply(t, r.written(t))
	for range 2 {
		state, err := r.Sink.Revoke(t.Context(), c)
		must(t, "revoke", err)
		r.holds(t, "revoke", state, c, sink.HoldsNew)
		r.accepted(t, "behind it", second, true)
		r.accepted(t, "behind it", first, false)
	}
	r.proves(t, c, sink.Proved)
}

func provesNothing(t *testing.T, r Rig) {
	r.proves(t, r.written(t), sink.Wrong)
}

func knowsUnreachable(t *testing.T, r Rig) {
	c := r.written(t)
	r.Cut()
	for step, ask := range map[string]func(context.Context, sink.Change) (sink.State, error){
		"probe": r.Sink.Probe, "apply": r.Sink.Apply, "undo": r.Sink.Undo, "revoke": r.Sink.Revoke,
	} {
		_, err := ask(t.Context(), c)
		failed(t, step, err, sink.Transient, sink.Refused)
	}
	verdict, err := r.Sink.Verify(t.Context(), c)
	if err == nil && verdict == sink.Proved {
		t.Error("a place out of reach is proved")
	}
}

func keepsBytes(t *testing.T, r Rig) {
	old := molecule.Secret{}
	marker := ""
	for i, text := range r.Holds {
		c := r.change(old, molecule.NewSecret(text))
		c.Marker = marker
		state, err := r.Sink.Apply(t.Context(), c)
		must(t, fmt.Sprintf("apply value %d", i), err)
		r.accepted(t, fmt.Sprintf("value %d", i), c.New, true)
		r.proves(t, c, sink.Proved)
		if r.KeepsOld {
			state, err = r.Sink.Revoke(t.Context(), c)
			must(t, "revoke", err)
		}
		old, marker = c.New, state.Marker
	}
	for i, text := range r.Rejects {
		c := r.change(old, molecule.NewSecret(text))
		c.Marker = marker
		for step, ask := range map[string]func(context.Context, sink.Change) (sink.State, error){"probe": r.Sink.Probe, "apply": r.Sink.Apply} {
			_, err := ask(t.Context(), c)
			failed(t, fmt.Sprintf("%s of rejected value %d", step, i), err, sink.RejectsValue)
		}
		r.accepted(t, "behind a rejected value", old, true)
	}
}

func refusesEmpty(t *testing.T, r Rig) {
	c := r.written(t)
	c.New = molecule.NewSecret("")
	_, err := r.Sink.Apply(t.Context(), c)
	failed(t, "apply", err, sink.RejectsValue)
	r.accepted(t, "behind it", first, true)
}

func endsWithContext(t *testing.T, r Rig) {
	c := r.written(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Sink.Apply(ctx, c)
	failed(t, "apply", err, sink.Transient)
	r.accepted(t, "behind it", first, true)
}
