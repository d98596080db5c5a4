package dispatch

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

func TestAlarm_wakesAllThatWaitAndNobodyEarly(t *testing.T) {
	t.Parallel()
	var a Alarm
	base := time.Now().Add(5 * time.Millisecond).Truncate(time.Millisecond)
	var waiting sync.WaitGroup
	for i := range 60 {
		due := base.Add(time.Duration(i%6) * time.Millisecond)
		waiting.Go(func() {
			err := a.Wait(t.Context(), due)
			if early := time.Until(due); err != nil || early > 0 {
				t.Errorf("woken %v too early, %v", early, err)
			}
		})
	}
	waiting.Wait()
	if len(a.last) > 0 {
		t.Errorf("%d instants are left when all have come", len(a.last))
	}
	if err := a.Wait(t.Context(), base); err != nil {
		t.Errorf("an instant that has passed: %v", err)
	}
}

func TestAlarm_givesUpWhenItIsToldTo(t *testing.T) {
	t.Parallel()
	var a Alarm
	why := errors.New("replaced")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	for _, in := range []time.Duration{time.Hour, lastStretch} {
		if err := a.Wait(ctx, time.Now().Add(in)); !errors.Is(err, why) {
			t.Errorf("told to give up %v before it is due: %v, want %v", in, err, why)
		}
	}
}
