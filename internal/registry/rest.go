package registry

import (
	"context"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// await waits for the planned sweep, or for something that has to be looked at
// before: what comes at the same time as that is looked at with it. It reports
// whether ctx goes on.
func (m *Monitor) await(ctx context.Context, planned <-chan time.Time) bool {
	select {
	case <-ctx.Done():
		return false
	case <-planned:
		return true
	case <-m.pulses.stir:
	case <-m.Store.AgentsChanged():
	}
	return molecule.Sleep(ctx, sweepEvery) == nil
}

// quiet returns how long nothing is to be done unless something happens.
func (m *Monitor) quiet(now int64) time.Duration {
	untold := len(m.untold) > 0 || len(m.mass.covered) > 0
	if m.mass.held || untold || m.writing.Load() != nil || m.lag.Load() != nil {
		m.pulses.looks.Store(now + int64(sweepEvery))
		return sweepEvery
	}
	// Whoever is armed from here on for an earlier time than this asks for a
	// look; who was before is found.
	m.pulses.looks.Store(now + int64(quietSweep))
	rest := time.Duration(m.pulses.soonest()-now) + time.Nanosecond // due is what lies behind it
	return min(max(rest, sweepEvery), quietSweep)
}
