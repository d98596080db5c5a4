package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// ImportSchedules makes and changes many schedules, all of them or none. It
// decides from what the store says before, so that an import that is refused,
// or finds everything as it should be, keeps no writer waiting.
func (s *Service) ImportSchedules(ctx context.Context, in molecule.ScheduleImport) (molecule.ImportResult, error) {
	if n := len(in.Schedules); n > molecule.MaxImport {
		return molecule.ImportResult{}, molecule.Errorf(molecule.TooLarge, "%d schedules are more than one import may name: %d", n, molecule.MaxImport).
			WithHint("split them; each import is done as a whole or not at all")
	}
	im := &importer{service: s, now: molecule.Now(), update: in.Update, agents: make(map[string]recipient), whens: make(map[specKey]when)}
	if err := im.look(ctx, in.Schedules); err != nil {
		return molecule.ImportResult{}, fmt.Errorf("import schedules: %w", err)
	}
	for slice := range slices.Chunk(in.Schedules, specsAtOnce) {
		if err := im.takeAll(ctx, slice); err != nil {
			return molecule.ImportResult{}, fmt.Errorf("import schedules: %w", err)
		}
	}
	switch {
	case len(im.result.Faults) > 0 && !in.SkipInvalid:
		return molecule.ImportResult{}, molecule.RefuseImport(im.result.Faults, len(in.Schedules))
	case in.DryRun || len(im.result.Created)+len(im.result.Updated) == 0:
		return im.told(), nil
	}
	if err := im.complete(); err != nil {
		return molecule.ImportResult{}, err
	}
	if err := s.store.ImportSchedules(ctx, im.create, im.ids, im.change); err != nil {
		return molecule.ImportResult{}, fmt.Errorf("import schedules: %w", err)
	}
	s.tellLoop()
	return im.told(), nil
}

// specsAtOnce is how many names are looked for at once: of the schedules that
// have them, most need not be remembered.
const specsAtOnce = 2_000

// importer sorts the schedules of one import into those to make, to change, to
// leave and to refuse.
type importer struct {
	service *Service
	now     time.Time
	update  bool // change what is there

	agents    map[string]recipient         // by ref
	calendars []string                     // the names there are
	existing  map[string]molecule.Schedule // those that are looked at
	whens     map[specKey]when
	seen      map[string]int // where each name was given first
	taken     int

	create []*molecule.Schedule
	ids    []string                     // of those to change
	wanted map[string]molecule.Schedule // by id: what they are to become
	paused map[string]*bool             // by id
	result molecule.ImportResult
}

// recipient is what a ref of an agent means.
type recipient struct {
	id, name string
	err      error
}

// look reads what the refs of agents mean, and which calendars there are.
func (im *importer) look(ctx context.Context, specs []molecule.ScheduleSpec) error {
	store := im.service.store
	excludes := false
	for _, spec := range specs {
		excludes = excludes || len(spec.Exclusions) > 0
		if _, known := im.agents[spec.Agent]; known {
			continue
		}
		a, err := store.Agent(ctx, spec.Agent)
		if code := molecule.CodeOf(err); err != nil && code != molecule.NotFound && code != molecule.Invalid {
			return err
		}
		im.agents[spec.Agent] = recipient{id: a.ID, name: a.Name, err: err}
	}
	if excludes {
		all, err := store.Calendars(ctx)
		if err != nil {
			return err
		}
		for _, c := range all {
			im.calendars = append(im.calendars, c.Name)
		}
	}
	im.seen = make(map[string]int, len(specs))
	im.wanted, im.paused = make(map[string]molecule.Schedule), make(map[string]*bool)
	return nil
}

// takeAll decides what becomes of some schedules, for which it reads which of
// their names are in use.
func (im *importer) takeAll(ctx context.Context, specs []molecule.ScheduleSpec) error {
	names := make([]string, len(specs))
	for i, spec := range specs {
		names[i] = spec.Name
	}
	found, err := im.service.store.SchedulesNamed(ctx, names)
	if err != nil {
		return err
	}
	im.existing = make(map[string]molecule.Schedule, len(found))
	for _, sched := range found {
		im.existing[sched.Name] = sched
	}
	for _, spec := range specs {
		if err := im.take(im.taken, spec); err != nil {
			return err
		}
		im.taken++
	}
	return nil
}

// take decides what becomes of one schedule. An error is no fault of the
// schedule.
func (im *importer) take(i int, spec molecule.ScheduleSpec) error {
	want, w, field, err := im.read(i, spec)
	if err == nil {
		if have, inUse := im.existing[spec.Name]; inUse {
			field, err = im.meet(have, want, spec.Paused)
		} else {
			field, err = "cron", im.begin(want, w)
		}
	}
	if err == nil || molecule.CodeOf(err) == molecule.Internal {
		return err
	}
	im.result.Skipped++
	im.result.Faults = append(im.result.Faults, molecule.FaultOf(i, spec.Name, field, err))
	return nil
}

// read returns the schedule that spec describes and what its expression says,
// or which field is wrong and why.
func (im *importer) read(i int, spec molecule.ScheduleSpec) (want molecule.Schedule, w when, field string, err error) {
	want = spec.Schedule()
	if first, twice := im.seen[spec.Name]; twice {
		return want, w, "name", molecule.Errorf(molecule.Invalid, "the name %q is given twice, first to schedule %d", spec.Name, first+1).
			WithHint("rename one of them")
	}
	im.seen[spec.Name] = i
	if field, err := invalidField(want); err != nil {
		return want, w, field, err
	}
	to := im.agents[spec.Agent]
	if to.err != nil {
		return want, w, "agent", to.err
	}
	want.AgentID, want.Agent = to.id, to.name
	for _, name := range want.Exclusions {
		if !slices.Contains(im.calendars, name) {
			return want, w, "exclusions", molecule.Errorf(molecule.NotFound, "no calendar %q", name).WithHint("molecli calendar list")
		}
	}
	if w, err = im.when(want); err != nil {
		return want, w, "cron", err
	}
	w.writeTo(&want)
	return want, w, "", nil
}

// when is specs.when, once for each expression: most schedules share theirs.
func (im *importer) when(s molecule.Schedule) (when, error) {
	key := keyOf(s)
	if w, ok := im.whens[key]; ok {
		return w, nil
	}
	w, err := im.service.specs.when(s, im.now)
	if err == nil {
		im.whens[key] = w
	}
	return w, err
}

// begin takes a schedule that is new.
func (im *importer) begin(want molecule.Schedule, w when) error {
	if want.State == molecule.ScheduleActive {
		if err := w.start(&want); err != nil {
			return err
		}
	}
	im.create = append(im.create, &want)
	im.result.Created = append(im.result.Created, want.Name)
	return nil
}

// meet takes a schedule whose name is in use.
func (im *importer) meet(have, want molecule.Schedule, paused *bool) (field string, err error) {
	if !im.update {
		return "name", molecule.Errorf(molecule.Conflict, "schedule %q exists already", have.Name).
			WithHint("choose another name, or change it with --update")
	}
	changed := have
	fields, err := im.alter(&changed, want, paused)
	switch {
	case err != nil:
		return "cron", err
	case len(fields) == 0:
		im.result.Unchanged++
		return "", nil
	}
	im.ids, im.wanted[have.ID], im.paused[have.ID] = append(im.ids, have.ID), want, paused
	im.result.Updated = append(im.result.Updated, molecule.ScheduleChange{Name: have.Name, Fields: fields})
	return "", nil
}

// change makes one schedule what it is to become, from what the store says now.
func (im *importer) change(sched *molecule.Schedule) (changed bool, err error) {
	fields, err := im.alter(sched, im.wanted[sched.ID], im.paused[sched.ID])
	return len(fields) > 0, err
}

// alter makes sched what it is to become and returns the fields that changed.
// Its slots move as far as its change asks for.
func (im *importer) alter(sched *molecule.Schedule, want molecule.Schedule, paused *bool) ([]string, error) {
	wasPaused := sched.State == molecule.SchedulePaused
	if paused != nil && *paused && !wasPaused { // first: slots that came are given up as what they were
		if err := im.service.pause(sched, im.now); err != nil {
			return nil, err
		}
	}
	before := *sched
	fields := merge(sched, want)
	if len(fields) > 0 {
		if err := im.service.resettle(sched, before, im.now); err != nil {
			return nil, err
		}
	}
	if paused == nil || *paused == wasPaused {
		return fields, nil
	}
	fields = append(fields, "paused")
	if *paused {
		return fields, nil
	}
	return fields, im.service.resume(sched, im.now)
}

// complete gives the new schedules what depends on their ids. They are stored in
// the order of their slots, which is the order of most of what is written for
// each.
func (im *importer) complete() error {
	slices.SortFunc(im.create, func(a, b *molecule.Schedule) int {
		return cmp.Or(a.NextSlot.Compare(b.NextSlot), cmp.Compare(a.Name, b.Name))
	})
	for _, sched := range im.create {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make an id: %w", err)
		}
		sched.ID = id.String()
		if sched.Jitter == 0 {
			continue
		}
		w, err := im.when(*sched)
		if err != nil {
			return err
		}
		sched.DueAt = dueTime(w.spec, *sched, sched.NextSlot)
	}
	return nil
}

// told is the result, without more faults than anybody would read.
func (im *importer) told() molecule.ImportResult {
	im.result.Faults = im.result.Faults[:min(len(im.result.Faults), molecule.MaxFaults)]
	return im.result
}
