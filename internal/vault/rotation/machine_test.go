package rotation

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

func TestNext_goesForwardToTheEnd(t *testing.T) {
	t.Parallel()
	r := molecule.Rotation{State: molecule.RotationPlanned, Overlap: molecule.OverlapDual}
	var way []molecule.RotationState
	for _, on := range []event{ready, made, written, proved, told, waited, ended} {
		to, ok := next(r, on)
		if !ok {
			t.Fatalf("%s knows no %q", r.State, on)
		}
		r.State = to
		way = append(way, to)
	}
	want := []molecule.RotationState{
		molecule.RotationMinting, molecule.RotationApplying, molecule.RotationVerifying, molecule.RotationPromoted,
		molecule.RotationGrace, molecule.RotationRevoking, molecule.RotationDone,
	}
	if diff := cmp.Diff(way, want); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
}

func TestMachine_everyStateIsLeftUnlessItIsOverAndReachedUnlessItIsFirst(t *testing.T) {
	t.Parallel()
	for _, s := range molecule.RotationStates() {
		left := slices.ContainsFunc(machine(), func(m transition) bool { return m.from == s })
		reached := slices.ContainsFunc(machine(), func(m transition) bool { return m.to == s })
		if left == s.Over() {
			t.Errorf("%s is left: %v, is over: %v", s, left, s.Over())
		}
		if !reached && s != molecule.RotationPlanned {
			t.Errorf("nothing leads to %s", s)
		}
	}
	for i, one := range machine() {
		for _, other := range machine()[i+1:] {
			if one.from == other.from && one.on == other.on {
				t.Errorf("%s knows %q twice", one.from, one.on)
			}
		}
	}
}

func TestOnFault_holdsWhatHasNoWayBackAndWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	promoted := molecule.Rotation{State: molecule.RotationRevoking, Overlap: molecule.OverlapDual, PromotedAt: molecule.Now()}
	for _, tt := range []struct {
		name    string
		r       molecule.Rotation
		trouble sink.Trouble
		want    event
	}{
		{"a place that refuses, before the pivot", molecule.Rotation{State: molecule.RotationApplying, Overlap: molecule.OverlapDual}, sink.Refused, failed},
		{"the same with one value at a time", molecule.Rotation{State: molecule.RotationApplying, Overlap: molecule.OverlapSingleSettable}, sink.Refused, failed},
		{"the same within a window", molecule.Rotation{State: molecule.RotationVerifying, Overlap: molecule.OverlapWindow}, wrongValue, failed},
		{"the same with two that take turns", molecule.Rotation{State: molecule.RotationVerifying, Overlap: molecule.OverlapAlternating}, wrongControl, failed},
		{"a new value that killed the old one", molecule.Rotation{State: molecule.RotationApplying, Overlap: molecule.OverlapSingleMinted}, sink.Refused, stuck},
		{"drift", molecule.Rotation{State: molecule.RotationApplying, Overlap: molecule.OverlapDual}, sink.Drifted, stuck},
		{"asked to hold", molecule.Rotation{State: molecule.RotationApplying, Overlap: molecule.OverlapDual, Hold: true}, sink.Refused, stuck},
		{"behind the pivot", promoted, sink.Refused, stuck},
		{"a place that cannot be put back", molecule.Rotation{State: molecule.RotationRollingBack, Overlap: molecule.OverlapDual}, sink.Transient, stuck},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := onFault(tt.r, tt.trouble)
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if _, ok := next(tt.r, got); !ok {
				t.Errorf("%s knows no %q", tt.r.State, got)
			}
		})
	}
}

func TestNext_goesBackOnlyWhileThereIsAWayBack(t *testing.T) {
	t.Parallel()
	held := molecule.Rotation{State: molecule.RotationHeld, From: molecule.RotationApplying, Overlap: molecule.OverlapDual}
	if to, ok := next(held, rollBack); !ok || to != molecule.RotationRollingBack {
		t.Errorf("got %s, %v", to, ok)
	}
	if to, ok := next(held, resume); !ok || to != molecule.RotationApplying {
		t.Errorf("got %s, %v", to, ok)
	}
	minted, promoted := held, held
	minted.Overlap, promoted.PromotedAt = molecule.OverlapSingleMinted, molecule.Now()
	for _, r := range []molecule.Rotation{minted, promoted} {
		if to, ok := next(r, rollBack); ok {
			t.Errorf("%+v goes back to %s", r, to)
		}
		if _, ok := next(r, abandon); !ok {
			t.Errorf("%+v cannot be abandoned", r)
		}
	}
}
