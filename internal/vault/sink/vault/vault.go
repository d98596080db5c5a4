// Package vault is the sink that is one key of a secret in a KV store, version 2,
// of OpenBao or HashiCorp Vault. The other keys of the secret stay as they are.
//
// What is written replaces the version that was looked at and no later one
// (cas). When somebody else wrote in between, it is looked at again: another
// value of our key is drift, another key is kept.
//
// Versions before the current one keep their values. Revoking destroys those
// that hold the old value and no key beside it; of others it warns.
package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
	"github.com/molecule-ai/molecli/internal/vault/sink/web"
)

// tries bounds how often a write is tried that somebody else was faster than.
const tries = 3

// Open makes the sink of a key.
func Open(s sink.Spec) (sink.Sink, error) {
	k := cell{place: s.At(), key: s.Name("key"), namespace: s.Target["namespace"]}
	var err error
	if k.mount, err = segments(s, "mount"); err != nil {
		return nil, err
	}
	if k.path, err = segments(s, "path"); err != nil {
		return nil, err
	}
	if k.client, err = web.Stored(s, s.Target["url"]); err != nil {
		return nil, err
	}
	return versioned{sink.OfCell(k.place, k), k}, nil
}

// segments reads a path of the target.
func segments(s sink.Spec, key string) ([]string, error) {
	parts := strings.Split(strings.Trim(s.Target[key], "/"), "/")
	for _, p := range parts {
		if p == "" || p == "." || p == ".." {
			return nil, molecule.Errorf(molecule.Invalid, "%s: %s %q is no path", s.At(), key, molecule.Excerpt(s.Target[key], 80)).
				WithHint("write %s: as bao kv shows it", key)
		}
	}
	return parts, nil
}

// cell is one key of a secret.
type cell struct {
	place, key, namespace string
	mount, path           []string
	client                *web.Client
}

// secret is a version of a secret. Its version is 0 when there was none, and it
// has no data when it was deleted.
type secret struct {
	Data     map[string]json.RawMessage `json:"data"`
	Metadata struct {
		Version int `json:"version"`
	} `json:"metadata"`
}

// answer is what the server says.
type answer[T any] struct {
	Data   T        `json:"data"`
	Errors []string `json:"errors"`
}

// Look reads the current version and asks whether the token may write it.
func (k cell) Look(ctx context.Context, c sink.Change) (sink.State, error) {
	if !utf8.ValidString(c.New.Reveal()) {
		return sink.State{}, sink.Rejected("a KV store holds text, and this value is none")
	}
	s, err := k.read(ctx, c, 0)
	if err != nil {
		return sink.State{}, err
	}
	if err := k.writable(ctx, c, s.Metadata.Version > 0); err != nil {
		return sink.State{}, err
	}
	return k.state(c, s), nil
}

// state says what a version holds.
func (k cell) state(c sink.Change, s secret) sink.State {
	marker := fmt.Sprintf("version %d", s.Metadata.Version)
	raw, ok := s.Data[k.key]
	if !ok {
		return sink.State{Holds: sink.HoldsNothing, Marker: marker}
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return sink.State{Holds: sink.HoldsOther, Value: molecule.NewSecret(string(raw)), Marker: marker} // no text: nothing of ours
	}
	return sink.State{Holds: c.Compare(text), Value: molecule.NewSecret(text), Marker: marker}
}

// Put writes a version that has the new value under our key.
func (k cell) Put(ctx context.Context, c sink.Change, seen sink.State) error {
	text, err := json.Marshal(c.New.Reveal())
	if err != nil {
		return fmt.Errorf("%s: write the value: %w", k.place, err)
	}
	return k.replace(ctx, c, seen, func(data map[string]json.RawMessage) { data[k.key] = text })
}

// Clear destroys a version that holds our key alone. Where it may not, and where
// other keys stand beside it, it writes a version without ours.
func (k cell) Clear(ctx context.Context, c sink.Change, seen sink.State) error {
	s, err := k.read(ctx, c, 0)
	if err != nil {
		return err
	}
	if now := k.state(c, s); len(s.Data) == 1 && same(now, seen) {
		if err := k.destroy(ctx, c, []int{s.Metadata.Version}); molecule.CodeOf(err) != molecule.Forbidden {
			return err
		}
	}
	return k.replace(ctx, c, seen, func(data map[string]json.RawMessage) { delete(data, k.key) })
}

// replace writes a changed copy of the current version, as long as our key is as
// it was seen.
func (k cell) replace(ctx context.Context, c sink.Change, seen sink.State, change func(map[string]json.RawMessage)) error {
	var refusal error
	last := -1
	for range tries {
		s, err := k.read(ctx, c, 0)
		if err != nil {
			return err
		}
		version := s.Metadata.Version
		if version == last {
			return refusal // nobody was faster: it is something else that it minds
		}
		last = version
		if !same(k.state(c, s), seen) {
			return sink.Drift(k.place)
		}
		data := maps.Clone(s.Data)
		if data == nil {
			data = make(map[string]json.RawMessage)
		}
		change(data)
		done, err := k.write(ctx, c, data, version)
		if done {
			return nil
		}
		if refusal = err; ctx.Err() != nil || molecule.CodeOf(err) != molecule.Invalid {
			return err
		}
	}
	return molecule.Errorf(molecule.Unavailable, "%s is changed by somebody else all the time", k.place).WithHint("try again")
}

// write writes a version behind another one. The server answers 400 when there
// is a later one, and to what it cannot read: that is Invalid.
func (k cell) write(ctx context.Context, c sink.Change, data map[string]json.RawMessage, behind int) (done bool, err error) {
	body := map[string]any{"options": map[string]int{"cas": behind}, "data": data}
	var a answer[json.RawMessage]
	status, err := k.ask(ctx, http.MethodPost, c, k.at("data"), body, &a, http.StatusBadRequest)
	if err != nil || status != http.StatusBadRequest {
		return err == nil, err
	}
	return false, molecule.Errorf(molecule.Invalid, "%s refuses what is written (status %d)", k.place, status).
		WithHint("see the log of the server").WithCause(errors.New(sink.Quote(strings.Join(a.Errors, "; "), c)))
}

// same reports whether our key is as it was seen.
func same(now, seen sink.State) bool {
	return now.Value.Reveal() == seen.Value.Reveal() && (now.Holds == sink.HoldsNothing) == (seen.Holds == sink.HoldsNothing)
}

// versioned ends old values in the versions before, too.
type versioned struct {
	sink.Sink
	cell cell
}

// Revoke destroys the versions that hold the old value alone.
func (v versioned) Revoke(ctx context.Context, c sink.Change) (sink.State, error) {
	state, err := v.cell.Look(ctx, c)
	if err != nil || state.Holds == sink.HoldsOther || c.Old.IsZero() {
		return state, err
	}
	alone, shared, err := v.cell.before(ctx, c)
	if err == nil && len(alone) > 0 {
		err = v.cell.destroy(ctx, c, alone)
	}
	switch {
	case molecule.CodeOf(err) == molecule.Forbidden:
		state.Warning = "the token may not end the versions before, which keep their values: allow it to read metadata/ and to update destroy/ of the secret, or destroy them by hand"
		return state, nil
	case len(shared) > 0:
		state.Warning = fmt.Sprintf("versions %v hold the old value beside keys that are not ours; they stay", shared)
	}
	return state, err
}

// before lists the versions before the current one that hold the old value:
// those that hold nothing else, and the others.
func (k cell) before(ctx context.Context, c sink.Change) (alone, shared []int, err error) {
	var a answer[struct {
		Current  int `json:"current_version"`
		Versions map[int]struct {
			Destroyed bool `json:"destroyed"`
		} `json:"versions"`
	}]
	status, err := k.ask(ctx, http.MethodGet, c, k.at("metadata"), nil, &a, http.StatusNotFound)
	if err != nil || status == http.StatusNotFound {
		return nil, nil, err
	}
	for _, n := range slices.Sorted(maps.Keys(a.Data.Versions)) {
		if n == a.Data.Current || a.Data.Versions[n].Destroyed {
			continue
		}
		s, err := k.read(ctx, c, n)
		switch {
		case err != nil:
			return nil, nil, err
		case k.state(c, s).Holds != sink.HoldsOld:
		case len(s.Data) == 1:
			alone = append(alone, n)
		default:
			shared = append(shared, n)
		}
	}
	return alone, shared, nil
}

// destroy ends versions for good.
func (k cell) destroy(ctx context.Context, c sink.Change, versions []int) error {
	_, err := k.ask(ctx, http.MethodPut, c, k.at("destroy"), map[string][]int{"versions": versions}, nil)
	return err
}
