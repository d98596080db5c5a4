package supervised

import (
	"context"
	"testing"
	"time"
)

// BenchmarkHeartbeat is held against BenchmarkTimeSince: at most 1.3 times it,
// without an allocation.
func BenchmarkHeartbeat(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	err := RunWithRecover(ctx, Spec{
		Name: "bench", EventDriven: true, Restart: OnFailure,
		Run: func(_ context.Context, beat *Beat) error {
			defer cancel()
			b.ReportAllocs()
			for b.Loop() {
				beat.Heartbeat()
			}
			return nil
		},
	})
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkTimeSince is the yardstick.
func BenchmarkTimeSince(b *testing.B) {
	start := time.Now()
	var d time.Duration
	b.ReportAllocs()
	for b.Loop() {
		d = time.Since(start)
	}
	_ = d
}

// BenchmarkTick is the price of a turn with nothing in it.
func BenchmarkTick(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	err := RunWithRecover(ctx, Spec{
		Name: "bench", Every: time.Minute, Restart: OnFailure,
		Run: func(ctx context.Context, beat *Beat) error {
			defer cancel()
			b.ReportAllocs()
			for b.Loop() {
				if err := beat.Tick(ctx, func(context.Context) error { return nil }); err != nil {
					return err
				}
			}
			return nil
		},
	})
	if err != nil {
		b.Fatal(err)
	}
}
