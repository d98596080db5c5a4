package scheduler

import (
	"errors"
	"sync"
	"time"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// maxSpecs bounds the cache; past it the cache begins anew.
const maxSpecs = 20_000

// specs keeps compiled expressions, of which many schedules share few.
type specs struct {
	mu   sync.Mutex
	kept map[specKey]cron.Schedule
}

type specKey struct {
	expr string
	cron.Options
}

// keyOf returns what s says about when.
func keyOf(s molecule.Schedule) specKey {
	return specKey{s.Cron, cron.Options{
		TZ: s.TZ, DST: cron.DST(s.DST), Seconds: s.Seconds, Phase: time.Duration(s.Phase),
	}}
}

func newSpecs() *specs { return &specs{kept: make(map[specKey]cron.Schedule)} }

// of returns the compiled form of what s says about when.
func (c *specs) of(s molecule.Schedule) (cron.Schedule, error) {
	key := keyOf(s)
	c.mu.Lock()
	spec, ok := c.kept[key]
	c.mu.Unlock()
	if ok {
		return spec, nil
	}
	spec, err := cron.Parse(key.expr, key.Options)
	if err != nil {
		return spec, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= maxSpecs {
		clear(c.kept)
	}
	c.kept[key] = spec
	return spec, nil
}

// when is what an expression says, seen from one instant.
type when struct {
	since       time.Time
	spec        cron.Schedule
	description string
	next        time.Time // the first slot behind since
	over        error     // why there is none
}

// when returns what s says about when, seen from since.
func (c *specs) when(s molecule.Schedule, since time.Time) (when, error) {
	spec, err := c.of(s)
	if err != nil {
		return when{}, err
	}
	w := when{since: since, spec: spec, description: spec.Describe()}
	w.next, w.over = spec.Next(since)
	return w, nil
}

// writeTo brings what s says about when into its stored form.
func (w when) writeTo(s *molecule.Schedule) {
	s.Cron, s.TZ, s.Description = w.spec.Canonical(), w.spec.TZ(), w.description
}

// start does so and sets the first slot. A schedule that would never fire is
// Invalid.
func (w when) start(s *molecule.Schedule) error {
	if e, ok := errors.AsType[*molecule.Error](w.over); ok && e.Hint == "" {
		return e.WithHint("name a time that is still to come")
	}
	if w.over != nil {
		return w.over
	}
	if err := checkPhase(s.Phase, w.spec); err != nil {
		return err
	}
	if why := over(*s, s.Fired, w.next); why != "" {
		return molecule.Errorf(molecule.Invalid, "schedule %s would never fire: %s", s.Name, why).
			WithHint("change --until or --max-runs")
	}
	w.writeTo(s)
	s.ActiveSince, s.NextSlot, s.DueAt = w.since, w.next, dueTime(w.spec, *s, w.next)
	return nil
}

// checkPhase refuses a phase that would be ignored.
func checkPhase(phase molecule.Duration, spec cron.Schedule) error {
	switch d := time.Duration(phase); {
	case d != 0 && spec.Interval() == 0:
		return molecule.Errorf(molecule.Invalid, "phase says nothing without an interval").WithHint("leave it out, or use --cron '@every 1h'")
	case d%time.Second != 0:
		return molecule.Errorf(molecule.Invalid, "phase is %s, it must be whole seconds", phase)
	}
	return nil
}
