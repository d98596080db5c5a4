// Command agents measures a real moleculed that watches many agents: how many
// heartbeats a second it takes and how fast it answers them, how long it takes to
// miss an agent that has died, and how soon it serves again after a restart.
//
// It starts the daemon named by -daemon in a directory of its own, on loopback,
// with an organisation, makes the agents over the unix socket, and then is all of
// them. Both run on the same processors, so that what the daemon can do alone is
// more. It asserts nothing and prints rows of docs/benchmarks.md.
//
// Start with [run]; the herd is what the agents do.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
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
}

func main() {
	var o options
	flag.StringVar(&o.daemon, "daemon", "bin/moleculed", "the program to measure")
	flag.IntVar(&o.agents, "agents", 1000, "how many agents there are")
	flag.IntVar(&o.conns, "conns", 64, "connections they share")
	flag.StringVar(&o.sign, "sign", "heartbeat", "what they send: heartbeat, or state, which asks for their own")
	flag.DurationVar(&o.pace, "pace", 25*time.Second, "how often each of them does")
	flag.DurationVar(&o.load, "load", 20*time.Second, "how long as many heartbeats are sent as are answered")
	flag.IntVar(&o.deaths, "deaths", 1000, "how many agents die, one in a hundred at most")
	flag.StringVar(&o.phases, "phases", "load,deaths,restart", "what is measured")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "agents:", err)
		stop()
		os.Exit(1)
	}
}

// run measures, and prints a row for each figure.
func run(ctx context.Context, o options) error {
	d, err := newDaemon(ctx, o.daemon)
	if err != nil {
		return err
	}
	defer d.remove()
	if err := d.start(ctx); err != nil {
		return err
	}
	row("RSS without agents", "%s", d.memory())
	began := time.Now()
	agents, err := d.populate(ctx, o.agents)
	if err != nil {
		return err
	}
	row(fmt.Sprintf("agents made, %d", o.agents), "%.0f /s", float64(o.agents)/time.Since(began).Seconds())
	h := newHerd(d, o, agents)
	for _, phase := range []struct {
		name string
		do   func(ctx context.Context, o options, d *daemon, h *herd) error
	}{{"load", load}, {"deaths", deaths}, {"restart", restart}} {
		if !strings.Contains(o.phases, phase.name) {
			continue
		}
		if err := phase.do(ctx, o, d, h); err != nil {
			return fmt.Errorf("%s: %w", phase.name, err)
		}
	}
	return d.stop(ctx)
}

// row prints one row of the table.
func row(what, figure string, args ...any) {
	fmt.Printf("| %s | %s |\n", what, fmt.Sprintf(figure, args...))
}

// load sends heartbeats as fast as they are answered.
func load(ctx context.Context, o options, d *daemon, h *herd) error {
	if err := h.rush(ctx, 2*time.Second); err != nil { // connections, caches
		return err
	}
	h.forget()
	cpu, own := d.cpu(), ownCPU()
	began := time.Now()
	if err := h.rush(ctx, o.load); err != nil {
		return err
	}
	took := time.Since(began)
	l := h.latencies()
	n := float64(len(l))
	what := fmt.Sprintf("heartbeats of %d agents", o.agents)
	row(what, "%.0f /s, p50 %s, p99 %s, p99.9 %s, longest %s", n/took.Seconds(), l.at(0.5), l.at(0.99), l.at(0.999), l.at(1))
	row(what+", processor time of the daemon, and of the agents", "%.1f µs and %.1f µs each",
		(d.cpu()-cpu).Seconds()*1e6/n, (ownCPU()-own).Seconds()*1e6/n)
	row(what+", RSS", "%s", d.memory())
	return nil
}

// deaths lets some agents fall silent while the others go on, and waits until
// each of them is missed.
func deaths(ctx context.Context, o options, d *daemon, h *herd) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seen := d.follow(ctx)
	h.live(ctx)
	if err := pause(ctx, o.pace+5*time.Second); err != nil { // each has sent one
		return err
	}
	dying := min(o.deaths, o.agents/100)
	for i := range dying {
		h.kill(i * (o.agents / dying))
		if err := pause(ctx, 20*time.Second/time.Duration(dying)); err != nil {
			return err
		}
	}
	var late spread
	wrong := 0
	patience := time.After(h.longestLimit() + time.Minute)
	for len(late) < dying {
		select {
		case e := <-seen:
			if due, dead := h.due(e.agent); dead {
				late = append(late, e.at.Sub(due))
			} else {
				wrong++
			}
		case <-patience:
			row(fmt.Sprintf("deaths among %d agents", o.agents), "%d of %d missed", dying-len(late), dying)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	late.sort()
	row(fmt.Sprintf("%d deaths among %d agents that send one %s each %s, found behind the limit", dying, o.agents, o.sign, o.pace),
		"p50 %s, p99 %s, longest %s; 0 not found, %d found that live", late.at(0.5), late.at(0.99), late.at(1), wrong)
	row(fmt.Sprintf("RSS with %d agents that send one %s each %s", o.agents, o.sign, o.pace), "%s, at most %s", d.memory(), d.peak())
	return nil
}

// restart stops the daemon and starts it again, and waits whether it calls
// anybody offline who lives.
func restart(ctx context.Context, o options, d *daemon, h *herd) error {
	h.raise()
	live, cancel := context.WithCancel(ctx)
	defer cancel()
	h.live(live)
	if err := pause(ctx, o.pace+5*time.Second); err != nil {
		return err
	}
	began := time.Now()
	if err := d.stop(ctx); err != nil {
		return err
	}
	row(fmt.Sprintf("SIGTERM to exit with %d agents", o.agents), "%d ms", time.Since(began).Milliseconds())
	began = time.Now()
	if err := d.launch(ctx); err != nil {
		return err
	}
	if err := h.first(ctx); err != nil {
		return err
	}
	row(fmt.Sprintf("start to the first heartbeat that is answered, %d agents", o.agents), "%d ms", time.Since(began).Milliseconds())
	if err := d.ready(ctx); err != nil {
		return err
	}
	row(fmt.Sprintf("start to ready, %d agents", o.agents), "%d ms", time.Since(began).Milliseconds())
	seen, wrong := d.follow(live), 0
	for over := time.After(100 * time.Second); ; {
		select {
		case <-seen:
			wrong++
			continue
		case <-over:
		case <-ctx.Done():
			return ctx.Err()
		}
		row(fmt.Sprintf("called offline in 100 s behind a restart, of %d that live", o.agents), "%d", wrong)
		return nil
	}
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
