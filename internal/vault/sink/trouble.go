package sink

import (
	"context"
	"errors"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Trouble is what an error of a sink means to whoever drives it.
type Trouble string

// The troubles.
const (
	Transient    Trouble = "transient" // nobody answered, or not now: worth another try
	Refused      Trouble = "refused"   // it will not be better the next time
	RejectsValue Trouble = "rejected"  // another value may be taken
	Drifted      Trouble = "drift"     // it holds what we did not write
)

var (
	errDrift    = errors.New("neither the old value nor the new one")
	errRejected = errors.New("the value cannot be held")
)

// TroubleOf tells the errors of sinks apart; "" for nil.
func TroubleOf(err error) Trouble {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errDrift):
		return Drifted
	case errors.Is(err, errRejected):
		return RejectsValue
	case errors.Is(err, context.Canceled):
		return Transient
	}
	switch molecule.CodeOf(err) {
	case molecule.Unavailable, molecule.Timeout, molecule.RateLimited:
		return Transient
	}
	return Refused
}

// Drift is the error for a place that holds what we did not write. It is a
// Conflict.
func Drift(place string) error {
	return molecule.Errorf(molecule.Conflict, "%s holds a value that was not written from here; it stays", place).
		WithHint("look who changed it; what it holds can be adopted, or removed by hand").WithCause(errDrift)
}

// Rejected is the error for a value that a sink cannot hold. It is Invalid, and
// must not quote the value.
func Rejected(format string, args ...any) *molecule.Error {
	return molecule.Errorf(molecule.Invalid, format, args...).WithHint("give or generate another value").WithCause(errRejected)
}

// Unreachable is the error for a sink that does not answer. It is Unavailable.
func Unreachable(place string, cause error) *molecule.Error {
	return molecule.Errorf(molecule.Unavailable, "%s does not answer", place).
		WithHint("see that it runs and can be reached from here").WithCause(cause)
}
