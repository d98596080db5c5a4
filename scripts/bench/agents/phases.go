package main

import (
	"context"
	"fmt"
	"time"
)

// phase is one thing that is measured.
type phase struct {
	name string
	do   func(ctx context.Context, o options, d *daemon, h *herd) error
}

// phases are all of them, in the order in which they are run.
var phases = []phase{{"load", load}, {"deaths", deaths}, {"hold", hold}, {"restart", restart}}

const (
	dyingFor   = 5 * time.Second  // in which those that die do so, one after the other
	lateAtMost = 20 * time.Second // behind the limit: then it is not waited any longer
	aftermath  = 5 * time.Second  // for what is said in error behind the last one
)

// load sends requests as fast as they are answered.
func load(ctx context.Context, o options, d *daemon, h *herd) error {
	if err := h.rush(ctx, 2*time.Second); err != nil { // caches
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
	row(o.sign+"s", "%.0f /s, p50 %s, p99 %s, p99.9 %s, longest %s", n/took.Seconds(), l.at(0.5), l.at(0.99), l.at(0.999), l.at(1))
	row("processor time of one, for the daemon and for the agents", "%.1f µs and %.1f µs",
		(d.cpu()-cpu).Seconds()*1e6/n, (ownCPU()-own).Seconds()*1e6/n)
	row("RSS under this load, and at its most", "%s, %s", d.memory(), d.peak())
	return nil
}

// deaths lets a few agents fall silent while the others go on, and waits until
// each of them is missed.
func deaths(ctx context.Context, o options, d *daemon, h *herd) error {
	watch, err := d.follow(ctx)
	if err != nil {
		return err
	}
	defer watch.end()
	defer h.live(ctx)()
	if err := pause(ctx, o.pace); err != nil { // each has sent one
		return err
	}
	dying := min(o.deaths, max(o.agents/100, 1))
	cpu, began := d.cpu(), time.Now()
	for i := range dying {
		h.kill(i * (o.agents / dying))
		if err := pause(ctx, dyingFor/time.Duration(dying)); err != nil {
			return err
		}
	}
	limit := h.longestLimit()
	t := tally{herd: h}
	if err := t.until(ctx, watch, limit+lateAtMost, func() bool { return len(t.late) == dying }); err != nil {
		return err
	}
	load := (d.cpu() - cpu).Seconds() / time.Since(began).Seconds()
	if err := t.until(ctx, watch, aftermath, func() bool { return false }); err != nil {
		return err
	}
	t.late.sort()
	row(fmt.Sprintf("%s deaths, each found behind its limit of %s, pace %s", thousands(dying), limit.Round(time.Second), o.pace),
		"p50 %s, p99 %s, longest %s; %d missed, %d false", t.late.at(0.5), t.late.at(0.99), t.late.at(1), dying-len(t.late), t.wrong)
	row("processor of the daemon meanwhile, and its RSS", "%.1f %% of one, %s", load*100, d.memory())
	h.raise()
	return nil
}

// hold lets three of ten fall silent at once, which is more than is believed,
// and lets them come back when all of them are held.
func hold(ctx context.Context, o options, d *daemon, h *herd) error {
	watch, err := d.follow(ctx)
	if err != nil {
		return err
	}
	defer watch.end()
	defer h.live(ctx)()
	if err := pause(ctx, o.pace); err != nil {
		return err
	}
	silent := o.agents * 3 / 10
	for i := range silent {
		h.kill(i)
	}
	t := tally{herd: h}
	if err := t.until(ctx, watch, h.longestLimit()+lateAtMost, func() bool { return t.held == silent }); err != nil {
		return err
	}
	h.raise()
	began := time.Now()
	err = d.awaitOnline(ctx, o.agents)
	if err != nil {
		return err
	}
	back := time.Since(began)
	if err := t.until(ctx, watch, aftermath, func() bool { return false }); err != nil {
		return err
	}
	row(fmt.Sprintf("%s silent at once", thousands(silent)), "%s held, %d called offline, %d incidents; all online %s behind their return, pace %s",
		thousands(t.held), len(t.late)+t.wrong, t.incidents, back.Round(100*time.Millisecond), o.pace)
	return nil
}

// restart stops the daemon and starts it again, and waits whether it calls
// anybody offline who lives.
func restart(ctx context.Context, o options, d *daemon, h *herd) error {
	defer h.live(ctx)()
	if err := pause(ctx, o.pace); err != nil {
		return err
	}
	before, err := d.lastEvent(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := d.stop(ctx); err != nil {
		return err
	}
	row("SIGTERM to exit", "%d ms", time.Since(began).Milliseconds())
	began = time.Now()
	if err := d.launch(ctx); err != nil {
		return err
	}
	if err := h.first(ctx); err != nil {
		return err
	}
	row("start to the first request that is answered", "%d ms", time.Since(began).Milliseconds())
	if err := d.ready(ctx); err != nil {
		return err
	}
	row("start to ready", "%d ms", time.Since(began).Milliseconds())
	watch := d.followFrom(ctx, before)
	defer watch.end()
	t := tally{herd: h}
	span := h.longestLimit() + aftermath
	if err := t.until(ctx, watch, span, func() bool { return false }); err != nil {
		return err
	}
	row(fmt.Sprintf("called offline or held within %s behind the restart, pace %s", span.Round(time.Second), o.pace), "%d", t.wrong+t.held)
	row("RSS then", "%s", d.memory())
	return nil
}

// tally is what was said of the agents.
type tally struct {
	herd      *herd
	late      spread // of those that are dead, behind the limit
	wrong     int    // that live
	held      int
	incidents int
}

// until counts what is said for d, or until enough is.
func (t *tally) until(ctx context.Context, w *watch, d time.Duration, enough func() bool) error {
	for over := time.After(d); !enough(); {
		select {
		case e := <-w.said:
			t.add(e)
		case <-over:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("not measured to its end: %w", ctx.Err())
		}
	}
	return nil
}

func (t *tally) add(e event) {
	switch e.kind {
	case eventIncident:
		t.incidents++
	case eventUnknown:
		t.held++
	case eventOffline:
		if due, dead := t.herd.due(e.agent); dead {
			t.late = append(t.late, e.at.Sub(due))
		} else {
			t.wrong++
		}
	}
}
