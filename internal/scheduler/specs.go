package scheduler

import (
	"sync"
	"time"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// maxSpecs bounds the cache; past it the cache begins anew.
const maxSpecs = 20_000

// specs keeps compiled expressions, of which many schedules share few.
type specs struct {
	mu   sync.Mutex
	kept map[specKey]cron.Schedule
}

type specKey struct {
	expr string
	cron.Options
}

func newSpecs() *specs { return &specs{kept: make(map[specKey]cron.Schedule)} }

// of returns the compiled form of what s says about when.
func (c *specs) of(s molecule.Schedule) (cron.Schedule, error) {
	key := specKey{s.Cron, cron.Options{
		TZ: s.TZ, DST: cron.DST(s.DST), Seconds: s.Seconds, Phase: time.Duration(s.Phase),
	}}
	c.mu.Lock()
	spec, ok := c.kept[key]
	c.mu.Unlock()
	if ok {
		return spec, nil
	}
	spec, err := cron.Parse(key.expr, key.Options)
	if err != nil {
		return spec, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= maxSpecs {
		clear(c.kept)
	}
	c.kept[key] = spec
	return spec, nil
}
