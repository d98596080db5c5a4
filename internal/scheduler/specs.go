package scheduler

import (
	"sync"

	"github.com/molecule-ai/molecli/internal/cron"
)

// maxSpecs bounds the cache; past it the cache begins anew.
const maxSpecs = 20_000

// specs keeps compiled expressions, of which many schedules share few.
type specs struct {
	mu   sync.Mutex
	kept map[specKey]cron.Schedule
}

type specKey struct{ expr, tz string }

func newSpecs() *specs { return &specs{kept: make(map[specKey]cron.Schedule)} }

// compile returns the compiled form of expr in tz.
func (c *specs) compile(expr, tz string) (cron.Schedule, error) {
	key := specKey{expr, tz}
	c.mu.Lock()
	spec, ok := c.kept[key]
	c.mu.Unlock()
	if ok {
		return spec, nil
	}
	spec, err := cron.Parse(expr, cron.Options{TZ: tz})
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
