package rotation

import (
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

// event is what happens to a rotation.
type event string

// The events.
const (
	ready    event = "ready"     // every place could be written
	made     event = "made"      // there is a value
	written  event = "written"   // every place was written
	proved   event = "proved"    // every place was asked, and the new value is right
	told     event = "told"      // the new value is in use
	waited   event = "waited"    // nobody needs the old value any more
	ended    event = "ended"     // the old value is dead, or left to a person
	failed   event = "failed"    // it cannot go on, and can go back
	stuck    event = "stuck"     // it cannot go on, and only a person knows where to
	undone   event = "undone"    // every place holds what it held
	another  event = "another"   // the same, and another value may be taken
	resume   event = "resume"    // a person says: go on
	rollBack event = "roll back" // a person says: go back
	abandon  event = "abandon"   // a person takes it over
)

// transition is one row of the machine.
type transition struct {
	from molecule.RotationState
	on   event
	to   molecule.RotationState // "": where it was held
	back bool                   // only while there is a way back
}

// machine returns every move there is.
func machine() []transition {
	const (
		planned, minting, applying = molecule.RotationPlanned, molecule.RotationMinting, molecule.RotationApplying
		verifying, promoted        = molecule.RotationVerifying, molecule.RotationPromoted
		grace, revoking, done      = molecule.RotationGrace, molecule.RotationRevoking, molecule.RotationDone
		back, backAgain            = molecule.RotationRollingBack, molecule.RotationRolledBack
		held                       = molecule.RotationHeld
	)
	return []transition{
		{planned, ready, minting, false},
		{planned, failed, back, true},
		{planned, stuck, held, false},
		{minting, made, applying, false},
		{minting, failed, back, true},
		{minting, stuck, held, false},
		{applying, written, verifying, false},
		{applying, failed, back, true},
		{applying, stuck, held, false},
		{verifying, proved, promoted, false},
		{verifying, failed, back, true},
		{verifying, stuck, held, false},
		{promoted, told, grace, false},
		{promoted, stuck, held, false},
		{grace, waited, revoking, false},
		{grace, stuck, held, false},
		{revoking, ended, done, false},
		{revoking, stuck, held, false},
		{back, undone, backAgain, false},
		{back, another, minting, true},
		{back, stuck, held, false},
		{held, resume, "", false},
		{held, rollBack, back, true},
		{held, abandon, molecule.RotationAbandoned, false},
	}
}

// next returns where r goes on an event; false when it goes nowhere.
func next(r molecule.Rotation, on event) (molecule.RotationState, bool) {
	for _, t := range machine() {
		if t.from != r.State || t.on != on || t.back && !r.Returnable() {
			continue
		}
		if t.to == "" {
			return r.From, r.From != ""
		}
		return t.to, true
	}
	return "", false
}

// What stops a rotation beside the troubles of sinks.
const (
	wrongValue   sink.Trouble = "wrong"   // a place holds the new value, and it does not work
	wrongControl sink.Trouble = "invalid" // a random value works as well: nothing is proved
)

// onFault returns what happens to r when it cannot go on. Drift needs a person,
// whatever was meant to happen; so does everything without a way back.
func onFault(r molecule.Rotation, trouble sink.Trouble) event {
	switch {
	case trouble == sink.Drifted, r.Hold, !r.Returnable(), r.State == molecule.RotationRollingBack:
		return stuck
	}
	return failed
}
