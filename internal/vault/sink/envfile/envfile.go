// Package envfile is the sink that is one line of a file of environment
// variables. Everything else in the file stays as it is, byte for byte.
//
// What is written is read alike by a shell and by systemd's EnvironmentFile. A
// value of plain characters stands without quotes, as every reader takes it; for
// others a reader that knows no quotes, such as docker's --env-file, is not
// served. A value with a line break is rejected.
package envfile

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
	"github.com/molecule-ai/molecli/internal/vault/sink/disk"
)

// maxBytes bounds the files that are read.
const maxBytes = 4 << 20

// keys are the names that a shell takes.
var keys = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`) // never written

// Open makes the sink of one variable.
func Open(s sink.Spec) (sink.Sink, error) {
	key := s.Name("key")
	if !keys.MatchString(key) {
		return nil, molecule.Errorf(molecule.Invalid, "%s: %q is no name of a variable", s.At(), molecule.Excerpt(key, 60)).
			WithHint("write key: with letters, digits and _")
	}
	path, err := disk.ParsePath(s.Target["path"])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.At(), err)
	}
	return sink.OfCell(s.At(), cell{s.At(), path, key}), nil
}

// cell is the value of a key.
type cell struct{ place, path, key string }

// Look reads the value of the key.
func (e cell) Look(_ context.Context, c sink.Change) (sink.State, error) {
	held, err := disk.Read(e.path, maxBytes)
	if err == nil {
		err = held.Replaceable()
	}
	if err != nil {
		return sink.State{}, err
	}
	at, err := find(string(held.Data), e.key)
	if err != nil {
		return sink.State{}, e.unclear(err)
	}
	if _, err := quote(c.New.Reveal()); err != nil {
		return sink.State{}, err
	}
	if at.value == "" {
		return sink.State{Holds: sink.HoldsNothing, Warning: held.Exposed()}, nil
	}
	return sink.State{Holds: c.Compare(at.value), Value: molecule.NewSecret(at.value), Warning: held.Exposed()}, nil
}

// unclear is the error for a file that says two things, or none.
func (e cell) unclear(err error) error {
	return molecule.Errorf(molecule.Forbidden, "%s: %s", e.place, err).WithHint("leave one plain line %s=… in %s", e.key, e.path)
}

// Put writes the line of the key, where it is or as the last one.
func (e cell) Put(ctx context.Context, c sink.Change, seen sink.State) error {
	quoted, err := quote(c.New.Reveal())
	if err != nil {
		return err
	}
	return e.update(ctx, seen, func(text string, at line) string { return at.set(text, e.key, quoted) })
}

// Clear takes the line of the key away.
func (e cell) Clear(ctx context.Context, _ sink.Change, seen sink.State) error {
	return e.update(ctx, seen, func(text string, at line) string { return at.cut(text) })
}

func (e cell) update(ctx context.Context, seen sink.State, change func(text string, at line) string) error {
	err := disk.Update(ctx, e.path, maxBytes, disk.Options{}, func(held disk.File) ([]byte, error) {
		text := string(held.Data)
		at, err := find(text, e.key)
		if err != nil {
			return nil, e.unclear(err)
		}
		if at.value != seen.Value.Reveal() {
			return nil, sink.Drift(e.place)
		}
		return []byte(change(text, at)), nil
	})
	if errors.Is(err, disk.ErrChanged) {
		return sink.Drift(e.place)
	}
	return err
}
