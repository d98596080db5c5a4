package sink

import (
	"crypto/rand"
	"errors"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Verdict is what a verification found out.
type Verdict string

// The verdicts.
const (
	Proved   Verdict = "proved"   // the new value is right, and a random one is wrong
	Wrong    Verdict = "wrong"    // the new value is not right
	Invalid  Verdict = "invalid"  // a random value is right as well: the question proves nothing
	Unproved Verdict = "unproved" // the sink shows nobody what it holds
)

// Control returns a value that nobody was ever given.
func Control() molecule.Secret { return molecule.NewSecret("control-" + rand.Text()) }

// Differential asks about a random value and about the given one. Whatever
// says yes to the first says nothing about the second.
func Differential(value molecule.Secret, right func(molecule.Secret) (bool, error)) (Verdict, error) {
	control, err := right(Control())
	if errors.Is(err, errMasked) {
		return Unproved, nil
	}
	if err != nil {
		return "", err
	}
	if control {
		return Invalid, nil
	}
	ok, err := right(value)
	if err != nil {
		return "", err
	}
	if !ok {
		return Wrong, nil
	}
	return Proved, nil
}
