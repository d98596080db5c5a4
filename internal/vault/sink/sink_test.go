package sink

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestDifferential_whateverTakesARandomValueProvesNothing(t *testing.T) {
	t.Parallel()
	value := molecule.NewSecret("value-1")
	broken := errors.New("broken")
	for _, tt := range []struct {
		name  string
		right func(molecule.Secret) (bool, error)
		want  Verdict
		err   error
	}{
		{"only the value is right", func(v molecule.Secret) (bool, error) { return v.Reveal() == "value-1", nil }, Proved, nil},
		{"nothing is right", func(molecule.Secret) (bool, error) { return false, nil }, Wrong, nil},
		{"everything is right", func(molecule.Secret) (bool, error) { return true, nil }, Invalid, nil},
		{"nobody can be asked", func(molecule.Secret) (bool, error) { return false, errMasked }, Unproved, nil},
		{"asking fails", func(molecule.Secret) (bool, error) { return false, broken }, "", broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Differential(value, tt.right)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v, want %q, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestTroubleOf_saysWhatIsWorthAnotherTry(t *testing.T) {
	t.Parallel()
	for want, errs := range map[Trouble][]error{
		"": {nil},
		Transient: {
			Unreachable("file:x", nil), context.DeadlineExceeded, context.Canceled,
			molecule.Errorf(molecule.RateLimited, "x"), molecule.Errorf(molecule.Timeout, "x"),
		},
		Refused: {
			errors.New("x"), molecule.Errorf(molecule.Forbidden, "x"), molecule.Errorf(molecule.Unauthenticated, "x"),
			molecule.Errorf(molecule.NotFound, "x"), molecule.Errorf(molecule.Invalid, "x"), molecule.Errorf(molecule.UnsafeURL, "x"),
		},
		RejectsValue: {Rejected("x")},
		Drifted:      {Drift("file:x")},
	} {
		for _, err := range errs {
			if got := TroubleOf(err); got != want {
				t.Errorf("%v: got %q, want %q", err, got, want)
			}
			if err == nil {
				continue
			}
			if got := TroubleOf(fmt.Errorf("apply: %w", err)); got != want {
				t.Errorf("%v, wrapped: got %q, want %q", err, got, want)
			}
		}
	}
}

func TestState_maskedValueHasNoFingerprintThatEqualsAnother(t *testing.T) {
	t.Parallel()
	mark := func(v molecule.Secret) string { return "fp-" + v.Reveal() }
	value := molecule.NewSecret("a")
	var got []string
	for _, s := range []State{{Holds: HoldsNew, Value: value}, {Holds: HoldsOther, Value: value}, {Holds: HoldsNothing}, {Holds: HoldsUnknown}, {Holds: HoldsNew}} {
		got = append(got, s.Fingerprint(mark))
	}
	if diff := cmp.Diff(got, []string{"fp-a", "fp-a", "", "unknown", "unknown"}); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}
