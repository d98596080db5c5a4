package main

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// agent is one of the agents.
type agent struct {
	id      string
	request []byte       // what it sends, made once
	last    atomic.Int64 // when its last request was sent, in nanoseconds of the calendar
	gap     atomic.Int64 // the longest between two of them
	asked   atomic.Int64 // seconds it was asked to wait for the next
	dead    atomic.Bool
}

// heard notes that a request was answered that was sent at an instant.
func (a *agent) heard(sent time.Time) {
	last := a.last.Swap(sent.UnixNano())
	if gap := sent.UnixNano() - last; last > 0 && gap > a.gap.Load() {
		a.gap.Store(gap)
	}
}

// shortestGap is what is expected at the least between two requests.
const shortestGap = 30 * time.Second

// limit is how long an agent may be silent: three times what is expected, which
// is what it was asked to, or the longest it ever took.
func (a *agent) limit() time.Duration {
	return 3 * max(time.Duration(a.asked.Load())*time.Second, time.Duration(a.gap.Load()), shortestGap)
}

// herd is all agents, and the connections they share.
type herd struct {
	daemon *daemon
	pace   time.Duration
	agents []*agent
	byID   map[string]*agent
	conns  int
	next   atomic.Int64 // whose turn it is

	mu    sync.Mutex
	times spread
}

func newHerd(d *daemon, o options, agents []*agent) *herd {
	h := &herd{daemon: d, pace: o.pace, agents: agents, conns: o.conns, byID: make(map[string]*agent, len(agents))}
	for _, a := range agents {
		h.byID[a.id] = a
	}
	return h
}

// rush sends requests on every connection, one behind the other, for d.
func (h *herd) rush(ctx context.Context, d time.Duration) error {
	end := time.Now().Add(d)
	return h.onEach(ctx, func() bool { return time.Now().Before(end) })
}

// greet lets each agent send one.
func (h *herd) greet(ctx context.Context) error {
	var sent atomic.Int64
	return h.onEach(ctx, func() bool { return sent.Add(1) <= int64(len(h.agents)) })
}

// onEach sends on every connection while more says so.
func (h *herd) onEach(ctx context.Context, more func() bool) error {
	var all sync.WaitGroup
	errs := make(chan error, h.conns) // one for each connection
	for range h.conns {
		all.Go(func() { errs <- h.rushOn(ctx, more) })
	}
	all.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (h *herd) rushOn(ctx context.Context, more func() bool) error {
	l, err := h.dial(ctx)
	if err != nil {
		return err
	}
	defer l.close()
	times := make(spread, 0, 1<<16)
	for ctx.Err() == nil && more() {
		a := h.agents[int(h.next.Add(1)-1)%len(h.agents)]
		began := time.Now()
		if err := l.send(a); err != nil {
			return err
		}
		times = append(times, time.Since(began))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.times = append(h.times, times...)
	return nil
}

// forget drops the times taken so far.
func (h *herd) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.times = nil
}

// latencies returns the times taken, in order.
func (h *herd) latencies() spread {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.times.sort()
	return h.times
}

// live lets every agent that is not dead send one request each pace, until end is
// called. A connection that breaks is opened again.
func (h *herd) live(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for c := range h.conns {
		all.Go(func() { h.keep(ctx, c) })
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// keep sends for the agents of one connection, each at its own moment of a pace.
func (h *herd) keep(ctx context.Context, c int) {
	var l *line
	defer func() {
		if l != nil {
			l.close()
		}
	}()
	began := time.Now()
	for turn := 0; ; turn++ {
		for i := c; i < len(h.agents); i += h.conns {
			due := began.Add(time.Duration(turn)*h.pace + h.pace*time.Duration(i)/time.Duration(len(h.agents)))
			if pause(ctx, time.Until(due)) != nil {
				return
			}
			if a := h.agents[i]; !a.dead.Load() {
				l = h.sendOn(ctx, l, a)
			}
		}
	}
}

// sendOn sends for an agent on a connection, or on a new one when there is none,
// and returns the one to go on with; nil when the daemon is down.
func (h *herd) sendOn(ctx context.Context, l *line, a *agent) *line {
	if l == nil {
		var err error
		if l, err = h.dial(ctx); err != nil {
			return nil // the next agent tries again
		}
	}
	if l.send(a) != nil {
		l.close()
		return nil
	}
	return l
}

// kill lets an agent send nothing more.
func (h *herd) kill(i int) { h.agents[i].dead.Store(true) }

// raise lets all live again.
func (h *herd) raise() {
	for _, a := range h.agents {
		a.dead.Store(false)
	}
}

// due returns when a dead agent is to be missed; false for one that lives.
func (h *herd) due(id string) (time.Time, bool) {
	a := h.byID[id]
	if a == nil || !a.dead.Load() {
		return time.Time{}, false
	}
	return time.Unix(0, a.last.Load()).Add(a.limit()), true
}

func (h *herd) longestLimit() time.Duration {
	var longest time.Duration
	for _, a := range h.agents {
		longest = max(longest, a.limit())
	}
	return longest
}

// first returns when a request was answered.
func (h *herd) first(ctx context.Context) error {
	for {
		l, err := h.dial(ctx)
		if err == nil {
			err = l.send(h.agents[0])
			l.close()
		}
		if err == nil {
			return nil
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

// spread is many durations.
type spread []time.Duration

func (s spread) sort() { slices.Sort(s) }

// at returns a quantile of what is in order.
func (s spread) at(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	d := s[min(int(q*float64(len(s))), len(s)-1)]
	if d > 10*time.Millisecond {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}

// ownCPU is the processor time of this program.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
