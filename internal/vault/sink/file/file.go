// Package file is the sink that is a file of its own: its content is the value,
// byte for byte, with a newline at the end only where the value has one.
//
// The path of the target is absolute. mode (0600 when the file is made) and owner
// (user or user:group) hold when they stand in the target; a file that is there
// keeps its own otherwise.
package file

import (
	"context"
	"errors"
	"fmt"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
	"github.com/molecule-ai/molecli/internal/vault/sink/disk"
)

// Open makes the sink of a file.
func Open(s sink.Spec) (sink.Sink, error) {
	options, err := disk.ParseOptions(s.Target["mode"], s.Target["owner"])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.At(), err)
	}
	path, err := disk.ParsePath(s.Target["path"])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.At(), err)
	}
	return sink.OfCell(s.At(), cell{s.At(), path, options}), nil
}

// cell is a file that holds nothing else.
type cell struct {
	place   string
	path    string
	options disk.Options
}

// Look reads the file.
func (f cell) Look(_ context.Context, c sink.Change) (sink.State, error) {
	held, err := disk.Read(f.path, sink.MaxBytes)
	if err == nil {
		err = held.Replaceable()
	}
	if err != nil {
		return sink.State{}, err
	}
	if len(held.Data) == 0 {
		return sink.State{Holds: sink.HoldsNothing, Warning: held.Exposed()}, nil
	}
	return sink.State{
		Holds:   c.Compare(string(held.Data)),
		Value:   molecule.NewSecret(string(held.Data)),
		Warning: held.Exposed(),
	}, nil
}

// Put replaces the content.
func (f cell) Put(ctx context.Context, c sink.Change, seen sink.State) error {
	return f.update(ctx, seen, []byte(c.New.Reveal()))
}

// Clear removes the file.
func (f cell) Clear(ctx context.Context, _ sink.Change, seen sink.State) error {
	return f.update(ctx, seen, nil)
}

func (f cell) update(ctx context.Context, seen sink.State, data []byte) error {
	err := disk.Update(ctx, f.path, sink.MaxBytes, f.options, func(held disk.File) ([]byte, error) {
		if string(held.Data) != seen.Value.Reveal() {
			return nil, sink.Drift(f.place)
		}
		return data, nil
	})
	if errors.Is(err, disk.ErrChanged) {
		return sink.Drift(f.place)
	}
	return err
}
