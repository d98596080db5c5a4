package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// agent is one of the agents.
type agent struct {
	id, token string
	last      atomic.Int64 // when its last request was sent, in nanoseconds of the calendar
	asked     atomic.Int64 // seconds it was asked to wait for the next
	dead      atomic.Bool
}

// herd is all agents, and the connections they share.
type herd struct {
	daemon *daemon
	sign   string
	pace   time.Duration
	agents []*agent
	byID   map[string]*agent
	conns  int
	next   atomic.Int64 // whose turn it is

	mu    sync.Mutex
	times spread
}

func newHerd(d *daemon, o options, agents []*agent) *herd {
	h := &herd{daemon: d, sign: o.sign, pace: o.pace, agents: agents, conns: o.conns, byID: make(map[string]*agent, len(agents))}
	for _, a := range agents {
		h.byID[a.id] = a
	}
	return h
}

// rush sends heartbeats on every connection, one behind the other, for d.
func (h *herd) rush(ctx context.Context, d time.Duration) error {
	end := time.Now().Add(d)
	var all sync.WaitGroup
	errs := make(chan error, h.conns) // one for each connection
	for range h.conns {
		all.Go(func() { errs <- h.rushOn(ctx, end) })
	}
	all.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *herd) rushOn(ctx context.Context, end time.Time) error {
	l, err := h.dial(ctx)
	if err != nil {
		return err
	}
	defer l.close()
	times := make(spread, 0, 1<<16)
	for {
		began := time.Now()
		if began.After(end) || ctx.Err() != nil {
			break
		}
		a := h.agents[int(h.next.Add(1))%len(h.agents)]
		if err := l.heartbeat(a); err != nil {
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

// live lets every agent that is not dead send one request each pace, until ctx
// ends. A connection that breaks is opened again.
func (h *herd) live(ctx context.Context) {
	for c := range h.conns {
		go h.keep(ctx, c)
	}
}

// keep sends for the agents of one connection, each at its own moment of a pace.
func (h *herd) keep(ctx context.Context, c int) {
	var l *line
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
	if l.send(a, h.sign) != nil {
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

// limit is how long an agent may be silent: three times what is expected, which
// is what it was asked to, or 30 s.
func (a *agent) limit() time.Duration {
	return 3 * max(time.Duration(a.asked.Load())*time.Second, 30*time.Second)
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

// first returns when a heartbeat was answered.
func (h *herd) first(ctx context.Context) error {
	for {
		l, err := h.dial(ctx)
		if err == nil {
			err = l.heartbeat(h.agents[0])
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

// line is one connection.
type line struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
	body []byte
}

func (h *herd) dial(ctx context.Context) (*line, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", h.daemon.address)
	if err != nil {
		return nil, err
	}
	return &line{conn: conn, in: bufio.NewReader(conn)}, nil
}

func (l *line) close() { _ = l.conn.Close() }

// send makes the request of a sign.
func (l *line) send(a *agent, sign string) error {
	if sign == "heartbeat" {
		return l.heartbeat(a)
	}
	l.out = fmt.Appendf(l.out[:0], "GET /workspaces/%s/state HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Molecule-Org-Id: %s\r\nAuthorization: Bearer %s\r\n\r\n",
		a.id, orgID, a.token)
	return l.exchange(a)
}

// heartbeat sends a heartbeat as clients in the field do, with the header of the
// organisation, and reads the answer.
func (l *line) heartbeat(a *agent) error {
	l.body = append(l.body[:0], `{"workspace_id":"`...)
	l.body = append(l.body, a.id...)
	l.body = append(l.body, `","error_rate":0.02,"sample_error":"","active_tasks":1,"uptime_seconds":86400,"current_task":"weekly report","runtime_state":"ok"}`...)
	l.out = append(l.out[:0], "POST /registry/heartbeat HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Molecule-Org-Id: "+orgID+"\r\nContent-Type: application/json\r\nAuthorization: Bearer "...)
	l.out = append(l.out, a.token...)
	l.out = append(l.out, "\r\nContent-Length: "...)
	l.out = strconv.AppendInt(l.out, int64(len(l.body)), 10)
	l.out = append(l.out, "\r\n\r\n"...)
	l.out = append(l.out, l.body...)
	return l.exchange(a)
}

// exchange sends what is in out and reads the answer, which has to be a 200.
func (l *line) exchange(a *agent) error {
	sent := time.Now().UnixNano()
	if _, err := l.conn.Write(l.out); err != nil {
		return err
	}
	length, status := 0, ""
	for first := true; ; first = false {
		text, err := l.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first {
			status = string(bytes.TrimSpace(text))
		}
		if len(text) <= 2 {
			break
		}
		if v, ok := bytes.CutPrefix(text, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return err
			}
		}
	}
	l.body = slices.Grow(l.body[:0], length)[:length]
	if _, err := io.ReadFull(l.in, l.body); err != nil {
		return err
	}
	if status != "HTTP/1.1 200 OK" {
		return fmt.Errorf("%s: %s", status, l.body)
	}
	a.last.Store(sent)
	if _, v, ok := bytes.Cut(l.body, []byte(`"next_heartbeat_seconds":`)); ok {
		if n, err := strconv.Atoi(string(bytes.TrimRight(v, "}\n"))); err == nil {
			a.asked.Store(int64(n))
		}
	}
	return nil
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
