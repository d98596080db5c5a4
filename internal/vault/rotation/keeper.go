package rotation

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// lookEvery is how often the keeper looks when nobody wakes it.
const lookEvery = 10 * time.Second

// Reporter is told, for a kind of incidents, all that are open.
type Reporter interface {
	Report(kind string, now time.Time, all ...molecule.Incident)
}

// Keeper drives every rotation that can go on, also those that a crash left, and
// tells of those that wait for a person. Its Run is the subsystem secret-rotator.
type Keeper struct {
	engine    *Engine
	incidents Reporter
	log       *slog.Logger
	wake      chan struct{} // buffered 1: there is something to drive
}

// NewKeeper returns a Keeper of an engine.
func NewKeeper(e *Engine, incidents Reporter, log *slog.Logger) *Keeper {
	return &Keeper{e, incidents, log, make(chan struct{}, 1)}
}

// Kick has Run look at once.
func (k *Keeper) Kick() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Run looks for what can go on until ctx ends, and then waits for what is driven:
// it stops at the next step, and goes on from there in the next life.
func (k *Keeper) Run(ctx context.Context, beat *supervised.Beat) error {
	var drives sync.WaitGroup
	defer drives.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.wake:
		case <-timer.C:
		}
		var due []molecule.Rotation
		err := beat.Tick(ctx, func(ctx context.Context) (err error) {
			due, err = k.look(ctx, molecule.Now())
			return err
		})
		if err != nil && ctx.Err() == nil {
			k.log.WarnContext(ctx, "look for rotations", "err", err)
		}
		for _, r := range due {
			drives.Go(func() { k.drive(ctx, r) })
		}
		timer.Reset(lookEvery)
	}
}

// drive drives one rotation. One that fails stays where it is until the next look.
func (k *Keeper) drive(ctx context.Context, r molecule.Rotation) {
	if err := k.engine.Drive(ctx, r.ID); err != nil && ctx.Err() == nil {
		k.log.ErrorContext(ctx, "drive a rotation", "err", err)
	}
	if ctx.Err() == nil {
		k.Kick() // what it came to may be an incident
	}
}

// look returns what can go on now, and reports what waits for a person.
func (k *Keeper) look(ctx context.Context, now time.Time) ([]molecule.Rotation, error) {
	open, err := k.engine.store.Rotations(ctx, false)
	if err != nil {
		return nil, fmt.Errorf("read rotations: %w", err)
	}
	var due []molecule.Rotation
	var waiting []molecule.Incident
	for _, r := range open {
		switch {
		case r.State == molecule.RotationHeld:
			waiting = append(waiting, held(r))
			continue
		case late(r, now):
			waiting = append(waiting, closing(r))
		}
		if !r.DueAt.After(now) && !k.engine.busy(r.ID) {
			due = append(due, r)
		}
	}
	k.incidents.Report(molecule.IncidentRotation, now, waiting...)
	return due, nil
}

// held is the incident of a rotation that waits for a person.
func held(r molecule.Rotation) molecule.Incident {
	in := molecule.Incident{
		Subject: "secret/" + r.Secret, Severity: molecule.SeverityCritical, Title: "the rotation of " + r.Secret + " waits for a person",
		Evidence: molecule.Evidence{Facts: map[string]string{"rotation": r.ID, "from": string(r.From), "try": r.NextCommand()}},
	}
	if r.Fault != nil {
		in.Title += ": " + r.Fault.Message
		in.Evidence.Error = r.Fault.Message
	}
	return in
}

// late reports whether three quarters of a window have passed in which both values
// work.
func late(r molecule.Rotation, now time.Time) bool {
	window := time.Duration(r.Entry.Window)
	return r.Overlap == molecule.OverlapWindow && window > 0 && now.Sub(r.StartedAt) > window/4*3
}

func closing(r molecule.Rotation) molecule.Incident {
	return molecule.Incident{
		Subject: "secret/" + r.Secret, Severity: molecule.SeverityCritical,
		Title:    "the old value of " + r.Secret + " soon stops to work, and its rotation is " + string(r.State),
		Evidence: molecule.Evidence{Facts: map[string]string{"rotation": r.ID, "try": r.NextCommand()}},
	}
}
