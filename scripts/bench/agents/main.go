// Command agents measures a real moleculed that watches many agents: how many
// heartbeats a second it takes and how fast it answers them, how long it takes to
// miss an agent that has died, what it does when many fall silent at once, and how
// soon it serves again after a restart.
//
// It starts the daemon named by -daemon in a directory of its own, on loopback,
// with an organisation, makes the agents over the unix socket, and then is all of
// them. Both run on the same processors, so that what the daemon can do alone is
// more; the row of processor time says how much. It asserts nothing and prints rows
// of docs/benchmarks.md. A run ends within -within, whatever the daemon does.
//
// Start with [run]; phases.go is what is measured, herd.go is what the agents do,
// line.go is how they speak.
package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"
)

// options are what can be said on the command line.
type options struct {
	daemon string
	agents int
	conns  int
	sign   string
	pace   time.Duration
	load   time.Duration
	deaths int
	phases string
	within time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.daemon, "daemon", "bin/moleculed", "the program to measure")
	flag.IntVar(&o.agents, "agents", 1000, "how many agents there are")
	flag.IntVar(&o.conns, "conns", 64, "connections they share")
	flag.StringVar(&o.sign, "sign", signHeartbeat, "what they send: heartbeat, or state, which asks for their own")
	flag.DurationVar(&o.pace, "pace", 20*time.Second, "how often each of them does when it is not about load")
	flag.DurationVar(&o.load, "load", 10*time.Second, "how long as many are sent as are answered")
	flag.IntVar(&o.deaths, "deaths", 1000, "how many agents die, one in a hundred at most, so that they are missed one by one")
	flag.StringVar(&o.phases, "phases", "load,deaths", "what is measured, in this order: load, deaths, hold, restart")
	flag.DurationVar(&o.within, "within", 4*time.Minute, "when the run ends at the latest")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := o.check()
	if err == nil {
		err = run(ctx, o)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "agents:", err)
		os.Exit(1)
	}
}

// check refuses what cannot be measured.
func (o options) check() error {
	switch {
	case o.agents < 1 || o.conns < 1 || o.deaths < 1:
		return errors.New("-agents, -conns and -deaths are 1 at least")
	case o.pace <= 0 || o.load <= 0 || o.within <= 0:
		return errors.New("-pace, -load and -within are longer than nothing")
	case o.sign != signHeartbeat && o.sign != signState:
		return fmt.Errorf("-sign is %s or %s, not %q", signHeartbeat, signState, o.sign)
	}
	for name := range strings.SplitSeq(o.phases, ",") {
		if !slices.ContainsFunc(phases, func(p phase) bool { return p.name == name }) {
			return fmt.Errorf("-phases: there is no phase %q", name)
		}
	}
	return nil
}

// run measures, and prints a row for each figure.
func run(ctx context.Context, o options) error {
	ctx, cancel := context.WithTimeout(ctx, o.within)
	defer cancel()
	d, err := newDaemon(ctx, o.daemon)
	if err != nil {
		return err
	}
	defer d.remove()
	row("load average before, and what is measured", "%s; %s, %s agents that send one %s, %d connections, %d processors",
		loadAverage(), builtWith(o.daemon), thousands(o.agents), o.sign, o.conns, runtime.NumCPU())
	if err := d.start(ctx); err != nil {
		return err
	}
	row("RSS without agents", "%s", d.memory())
	h, err := raiseHerd(ctx, o, d)
	if err != nil {
		return fmt.Errorf("make the agents: %w", err)
	}
	for _, p := range phases {
		if !slices.Contains(strings.Split(o.phases, ","), p.name) {
			continue
		}
		if err := p.do(ctx, o, d, h); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	row("RSS at the end, and at its most", "%s, %s", d.memory(), d.peak())
	row("load average after", "%s", loadAverage())
	return d.stop(ctx)
}

// raiseHerd makes the agents and has each of them heard once, so that the row
// that its first request costs is not in any figure.
func raiseHerd(ctx context.Context, o options, d *daemon) (*herd, error) {
	began := time.Now()
	agents, err := d.populate(ctx, o.sign, o.agents)
	if err != nil {
		return nil, err
	}
	row("agents made", "%.0f /s", float64(o.agents)/time.Since(began).Seconds())
	h := newHerd(d, o, agents)
	began = time.Now()
	if err := h.greet(ctx); err != nil {
		return nil, err
	}
	if err := d.awaitOnline(ctx, o.agents); err != nil {
		return nil, err
	}
	row("first request of each, until all are stored as online", "%.0f /s", float64(o.agents)/time.Since(began).Seconds())
	h.forget()
	return h, nil
}

// row prints one row of the table.
func row(what, figure string, args ...any) {
	fmt.Printf("| %s | %s |\n", what, fmt.Sprintf(figure, args...))
}

// loadAverage is that of the last minute.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// builtWith names the version of Go a program was built with.
func builtWith(program string) string {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "unknown version of Go"
	}
	return info.GoVersion
}

// thousands writes a number as a reader likes it.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// pause waits for d.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
