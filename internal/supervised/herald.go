package supervised

import (
	"context"
	"log/slog"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// startHerald logs transitions on a goroutine of its own, for a log may block:
// a full pipe must not stop the watch. The returned function ends it, after
// the last lines or a moment.
func (s *Supervisor) startHerald(ctx context.Context) (stop func()) {
	rec := s.Transitions()
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for last := false; !last; {
			select {
			case <-rec.Wake():
			case <-quit:
				last = true
			}
			// Logging has nobody to tell that it failed.
			_ = Guard(func() error { return rec.Drain(ctx, s.announce) })
		}
	}()
	return func() {
		close(quit)
		timer := time.NewTimer(heraldGrace)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
		}
	}
}

func (s *Supervisor) announce(ctx context.Context, events []molecule.SubsystemEvent) error {
	for _, e := range events {
		attrs := []slog.Attr{
			slog.String("subsystem", e.Subsystem),
			slog.String("from", string(e.From)),
			slog.String("to", string(e.To)),
		}
		for _, a := range []slog.Attr{
			slog.String("err", e.Error),
			slog.String("blocked_in", e.BlockedIn),
			slog.String("stack", e.Stack),
		} {
			if a.Value.String() != "" {
				attrs = append(attrs, a)
			}
		}
		s.log.LogAttrs(ctx, severity(e.To), "subsystem changed state", attrs...)
	}
	return nil
}

// severity is Error where someone must look, Warn where it heals by itself.
func severity(to molecule.SubsystemState) slog.Level {
	switch to {
	case molecule.SubsystemStuck, molecule.SubsystemFailed:
		return slog.LevelError
	case molecule.SubsystemStale, molecule.SubsystemBackoff:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
