package scheduler

import (
	"context"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// PutCalendar stores a calendar, in place of the one of its name if any. Slots
// that fire from now on keep to it.
func (s *Service) PutCalendar(ctx context.Context, in *molecule.Calendar) error {
	if err := in.Validate(); err != nil {
		return err
	}
	return s.store.PutCalendar(ctx, in)
}

// Calendar returns one calendar.
func (s *Service) Calendar(ctx context.Context, name string) (molecule.Calendar, error) {
	return s.store.Calendar(ctx, name)
}

// Calendars returns every calendar, by name.
func (s *Service) Calendars(ctx context.Context) ([]molecule.Calendar, error) {
	return s.store.Calendars(ctx)
}

// RemoveCalendar removes a calendar that no schedule names.
func (s *Service) RemoveCalendar(ctx context.Context, name string) error {
	return s.store.RemoveCalendar(ctx, name)
}
