package rotation

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/secretmap"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

// Service implements [molecule.RotationService].
type Service struct {
	engine *Engine
	kick   func() // tells the keeper that there is something to drive
}

var _ molecule.RotationService = (*Service)(nil)

// NewService returns the service of an engine; kick wakes who drives it.
func NewService(e *Engine, kick func()) *Service { return &Service{e, kick} }

// ApplySecretMap replaces the map. One that cannot be used is Invalid.
func (s *Service) ApplySecretMap(ctx context.Context, m molecule.SecretMap) error {
	if broken := secretmap.Breaking(secretmap.Lint(m)); len(broken) > 0 {
		return molecule.Errorf(molecule.Invalid, "the map cannot be used: %s: %s", broken[0].Secret, broken[0].Message).
			WithHint("molecli secrets lint -f FILE tells of all of them")
	}
	return s.engine.store.PutSecretMap(ctx, m)
}

// SecretMap returns the map that was applied last.
func (s *Service) SecretMap(ctx context.Context) (molecule.SecretMap, error) {
	return s.engine.store.SecretMap(ctx)
}

// Begin stores a rotation with its value and drives nothing.
func (s *Service) Begin(ctx context.Context, in molecule.NewRotation) (molecule.Rotation, error) {
	var none molecule.Rotation
	m, entry, err := s.mapped(ctx, in.Secret)
	if err != nil {
		return none, err
	}
	value, err := newValue(entry, in)
	if err == nil {
		err = s.engine.vault.Ready(ctx)
	}
	if err != nil {
		return none, err
	}
	r := molecule.Rotation{
		Secret: entry.Name, State: molecule.RotationPlanned, Overlap: entry.Overlap, Hold: in.Hold,
		By: molecule.PrincipalFrom(ctx).Name, Group: groupOf(m, entry.Name), Entry: entry, Steps: stepsOf(m, entry),
	}
	marks, err := s.engine.store.PlaceMarkers(ctx, entry.Name)
	if err != nil {
		return none, err
	}
	for i := range r.Steps {
		r.Steps[i].Marker = marks[r.Steps[i].Place]
		if _, err := s.engine.sinkOf(r.Steps[i]); err != nil { // nothing is stored for a place that cannot be opened
			return none, err
		}
	}
	var ids [2]uuid.UUID
	for i := range ids {
		if ids[i], err = uuid.NewV7(); err != nil {
			return none, fmt.Errorf("make an id: %w", err)
		}
	}
	r.ID = ids[0].String()
	seal := func(of molecule.StoredSecret, version int) (molecule.Sealed, error) {
		if of.Current > 0 && of.Fingerprint == s.engine.vault.Fingerprint(of.ID, value) {
			return molecule.Sealed{}, molecule.Errorf(molecule.Conflict, "secret %s has this value already", of.Name).
				WithHint("molecli secrets show %s", of.Name)
		}
		return s.engine.vault.Seal(ctx, of, version, []byte(value.Reveal()))
	}
	s.engine.point("planned: before it is stored")
	if err := s.engine.store.StartRotation(ctx, &r, ids[1].String(), seal); err != nil {
		return none, err
	}
	s.engine.point("planned: behind it is stored")
	return r, nil
}

// newValue returns the value that was handed over, or makes one.
func newValue(entry molecule.MappedSecret, in molecule.NewRotation) (molecule.Secret, error) {
	if in.Value.IsZero() {
		if entry.Generator == nil {
			return molecule.Secret{}, molecule.Errorf(molecule.Invalid, "the value of %s is not made here: it has to be handed over", entry.Name).
				WithHint("molecli secrets rotate %s --from-file FILE; molecli secrets runbook %s says where it is made", entry.Name, entry.Name)
		}
		return Generate(*entry.Generator)
	}
	value, err := base64.StdEncoding.DecodeString(in.Value.Reveal())
	switch {
	case err != nil:
		return molecule.Secret{}, molecule.Errorf(molecule.Invalid, "the value is not base64")
	case len(value) == 0 || len(value) > molecule.MaxSecretBytes:
		return molecule.Secret{}, molecule.Errorf(molecule.Invalid, "the value of %s has %d bytes, it must have between 1 and %d", entry.Name, len(value), molecule.MaxSecretBytes)
	}
	return molecule.NewSecret(string(value)), nil
}

// Rotate begins a rotation and waits until it is settled, or ctx ends; it goes on
// then.
func (s *Service) Rotate(ctx context.Context, in molecule.NewRotation) (molecule.Rotation, error) {
	r, err := s.Begin(ctx, in)
	if err != nil {
		return r, err
	}
	return s.settle(ctx, r.ID)
}

// settle waits until a rotation is settled, or ctx ends.
func (s *Service) settle(ctx context.Context, id string) (molecule.Rotation, error) {
	s.kick()
	for {
		changed := s.engine.watch()
		r, err := s.Rotation(ctx, id)
		if err != nil || r.Settled() && !s.engine.busy(id) {
			return r, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return r, nil // it goes on by itself, and its state says where it is
		}
	}
}

// busy reports whether a rotation is driven and could still move at once.
func (e *Engine) busy(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.driven[id]
}

// Rotation returns one rotation.
func (s *Service) Rotation(ctx context.Context, ref string) (molecule.Rotation, error) {
	r, err := s.engine.store.Rotation(ctx, ref)
	r.Next = nextOf(r)
	return r, err
}

func nextOf(r molecule.Rotation) string {
	if r.State == molecule.RotationDone {
		return ""
	}
	return r.NextCommand()
}

// Rotations returns those that are not over, or the newest of all.
func (s *Service) Rotations(ctx context.Context, everything bool) ([]molecule.Rotation, error) {
	all, err := s.engine.store.Rotations(ctx, everything)
	for i := range all {
		all[i].Next = nextOf(all[i])
	}
	return all, err
}

// RotationJournal returns what a rotation did.
func (s *Service) RotationJournal(ctx context.Context, ref string) ([]molecule.JournalRow, error) {
	return s.engine.store.RotationJournal(ctx, ref)
}

// ResumeRotation goes on with one that is held, or that nobody drives.
func (s *Service) ResumeRotation(ctx context.Context, ref string) (molecule.Rotation, error) {
	return s.tell(ctx, ref, resume)
}

// RollBackRotation puts back what a held one wrote.
func (s *Service) RollBackRotation(ctx context.Context, ref string) (molecule.Rotation, error) {
	return s.tell(ctx, ref, rollBack)
}

// AbandonRotation leaves a held one to a person.
func (s *Service) AbandonRotation(ctx context.Context, ref string) (molecule.Rotation, error) {
	return s.tell(ctx, ref, abandon)
}

// tell does to a held rotation what a person says.
func (s *Service) tell(ctx context.Context, ref string, on event) (molecule.Rotation, error) {
	r, err := s.Order(ctx, ref, on)
	if err != nil || r.State.Over() {
		return r, err
	}
	return s.settle(ctx, r.ID)
}

// Order moves a held rotation as a person says, and drives nothing.
func (s *Service) Order(ctx context.Context, ref string, on event) (molecule.Rotation, error) {
	r, err := s.engine.store.Rotation(ctx, ref)
	if err != nil {
		return r, err
	}
	if r.State != molecule.RotationHeld && on == resume && !r.State.Over() {
		return r, nil // it goes on by itself
	}
	if _, ok := next(r, on); !ok {
		return r, refused(r, on)
	}
	if !s.engine.take(r.ID) {
		return r, molecule.Errorf(molecule.Conflict, "rotation %s is moving now", r.ID).WithHint("%s", r.NextCommand())
	}
	defer s.engine.leave(r.ID)
	if r, err = s.engine.store.ClaimRotation(ctx, r.ID); err != nil {
		return r, err
	}
	if on == abandon {
		r.ByHand = left(r)
	}
	if on == resume {
		r.Fault = nil
	}
	err = s.engine.move(ctx, &r, on, "a person says: "+string(on))
	r.Next = nextOf(r)
	return r, err
}

// left says what an abandoned rotation leaves where.
func left(r molecule.Rotation) []string {
	var all []string
	for _, s := range r.Steps {
		all = append(all, fmt.Sprintf("%s is left as it is: %s", s.Place, s.State))
	}
	return all
}

// refused says why a rotation does not do what a person says.
func refused(r molecule.Rotation, on event) error {
	switch {
	case r.State.Over():
		return molecule.Errorf(molecule.Conflict, "rotation %s is over: %s", r.ID, r.State).WithHint("molecli secrets rotations %s", r.ID)
	case r.State != molecule.RotationHeld:
		return molecule.Errorf(molecule.Conflict, "rotation %s is %s, and only one that is held can be told to %s", r.ID, r.State, on).
			WithHint("molecli secrets rotations %s", r.ID)
	case !r.PromotedAt.IsZero():
		return molecule.Errorf(molecule.Conflict, "v%d of %s is in use: from here there is only forward", r.Version, r.Secret).WithHint("%s", r.NextCommand())
	}
	return molecule.Errorf(molecule.Conflict, "making v%d of %s ended v%d: there is no way back", r.Version, r.Secret, r.Old).WithHint("%s", r.NextCommand())
}

// copyLimit bounds how long all places of a map are asked.
const copyLimit = 20 * time.Second

// SecretCopies asks the places of a secret, or of all, what they hold.
func (s *Service) SecretCopies(ctx context.Context, name string) ([]molecule.SecretCopy, error) {
	m, err := s.engine.store.SecretMap(ctx)
	if err == nil {
		err = s.engine.vault.Ready(ctx)
	}
	if err != nil {
		return nil, err
	}
	if _, ok := m.Secret(name); name != "" && !ok {
		return nil, molecule.Errorf(molecule.NotFound, "the map names no secret %q", molecule.Excerpt(name, 80)).
			WithHint("molecli secrets apply -f secrets.yaml says where its copies live")
	}
	ctx, cancel := context.WithTimeout(ctx, copyLimit)
	defer cancel()
	var all []molecule.SecretCopy
	for _, entry := range m.All() {
		if name != "" && entry.Name != name || entry.Class == molecule.SecretAuto || entry.Class == molecule.SecretDerived {
			continue
		}
		of, value, err := s.engine.vault.InUse(ctx, entry.Name)
		if err != nil {
			return nil, err
		}
		v := values{vault: s.engine.vault, rotated: entry.Name, new: value}
		for _, step := range stepsOf(molecule.SecretMap{}, entry) {
			all = append(all, s.engine.copyAt(ctx, v, step, of))
		}
	}
	return all, nil
}

// copyAt asks one place what it holds of the version in use.
func (e *Engine) copyAt(ctx context.Context, v values, step molecule.RotationStep, of molecule.StoredSecret) molecule.SecretCopy {
	out := molecule.SecretCopy{Secret: step.Secret, Place: step.Place, Holds: "unreachable"}
	s, err := e.sinkOf(step)
	var c sink.Change
	if err == nil {
		c, err = v.change(ctx, "drift", step, behind)
	}
	if err != nil {
		out.Message = messageOf(err)
		return out
	}
	limited, cancel := context.WithTimeout(ctx, e.limit)
	defer cancel()
	state, err := s.Probe(limited, c)
	if err != nil {
		out.Message = messageOf(err)
		return out
	}
	out.Holds = string(state.Holds)
	out.Fingerprint = state.Fingerprint(func(m molecule.Secret) string { return e.vault.Fingerprint(of.ID, m) })
	if state.Holds == sink.HoldsNew { // also where it holds what was made of the value
		out.Holds, out.Fingerprint = "current", e.vault.Fingerprint(of.ID, v.new)
	}
	return out
}
