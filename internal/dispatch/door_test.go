package dispatch

import "testing"

func TestDoor_letsNoMoreStandReadyThanThereArePlaces(t *testing.T) {
	t.Parallel()
	d := newDoor()
	for range earlyPlaces {
		if !d.enterEarly() {
			t.Fatal("there is a place, and it was refused")
		}
	}
	if d.enterEarly() {
		t.Error("there was a place more than there are")
	}
	d.leaveEarly()
	if !d.enterEarly() {
		t.Error("a place that was given back is refused")
	}
}
