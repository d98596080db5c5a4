// Command peers measures moleculed and other schedulers with the same work: so
// many jobs, each of which sends an A2A message to one sink by HTTP.
//
// Each peer is a process of its own, so that what it takes of processors and
// memory is its own; the sink is this process, and it shares the processors with
// whom it measures. There are three loads: 10 jobs of every second, 1,000 jobs of
// every second, and jobs that are all due at one instant. moleculed runs as it is
// installed, on a disk; the libraries run in a process that does nothing else and
// keep nothing. The programs that the variables MOLECULE_BENCH_SUPERCRONIC and
// MOLECULE_BENCH_DKRON name are measured too.
//
// It asserts nothing and prints a table of docs/benchmarks.md. Start with [run]
// and [sink].
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
	bin     string
	seconds int
	burst   int
	only    string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := choose(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		stop()
		os.Exit(1)
	}
}

// choose measures, or is one of the processes that are measured.
func choose(ctx context.Context) error {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "fire": // fire LIBRARY URL CRON JOBS
			return fire(ctx, os.Args[2:])
		case "post": // post URL JOB
			return post(ctx, os.Args[2:])
		}
	}
	var o options
	flag.StringVar(&o.bin, "bin", "bin", "directory of molecli and moleculed")
	flag.IntVar(&o.seconds, "seconds", 10, "how long the loads of every second are measured")
	flag.IntVar(&o.burst, "burst", 10_000, "how many jobs are due at one instant; a tenth of it for peers that start a process for each")
	flag.StringVar(&o.only, "only", "", "measure only the peers whose names begin so")
	flag.Parse()
	return run(ctx, o)
}

// run measures each peer and prints a row for it.
func run(ctx context.Context, o options) error {
	s, err := openSink()
	if err != nil {
		return err
	}
	defer s.close()
	fmt.Printf("Load average %s before the first row. Lags in ms: p50 / p99 / max.\n\n", loadAverage())
	fmt.Println("| peer | version | durable | lag, 10 due a second | lag, 1,000 due a second | lost of both | CPU s, 10 and 1,000 | RSS MB | all at one instant | lost | load |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, p := range peers(o) {
		if !strings.HasPrefix(p.name, o.only) {
			continue
		}
		if p.missing != "" {
			fmt.Printf("| %s | not offered: %s names no program | | | | | | | | | |\n", p.name, p.missing)
			continue
		}
		row, err := p.measure(ctx, s, o)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Println(row)
	}
	return nil
}

// measure puts the three loads on p and returns its row.
func (p peer) measure(ctx context.Context, s *sink, o options) (string, error) {
	few, err := p.steady(ctx, s, 10, o.seconds)
	if err != nil {
		return "", err
	}
	many, err := p.steady(ctx, s, 1000, o.seconds)
	if err != nil {
		return "", err
	}
	jobs := o.burst
	if p.forks {
		jobs /= 10
	}
	burst, err := p.burst(ctx, s, jobs)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %d, %d | %.1f, %.1f | %.0f | %.0f /s of %d%s | %d | %s |",
		p.name, p.version(ctx), p.durable, few, many, few.lost, many.lost, few.cpu.Seconds(), many.cpu.Seconds(),
		max(many.rss, burst.rss), burst.rate, jobs, burst.settled(), burst.lost, loadAverage()), nil
}

// steady measures p with jobs of every second, once it has settled.
func (p peer) steady(ctx context.Context, s *sink, jobs, seconds int) (figures, error) {
	s.reset(time.Time{})
	w, err := p.begin(ctx, load{jobs: jobs, cron: "* * * * * *", sink: s.url})
	if err != nil {
		return figures{}, err
	}
	defer w.stop()
	from := time.Now().Truncate(time.Second).Add(4 * time.Second) // the first ones make connections
	to := from.Add(time.Duration(seconds) * time.Second)
	if err := wait(ctx, time.Until(from.Add(-500*time.Millisecond))); err != nil {
		return figures{}, err
	}
	before, _ := w.usage()
	if err := wait(ctx, time.Until(to.Add(-500*time.Millisecond))); err != nil {
		return figures{}, err
	}
	after, rss := w.usage()
	if err := wait(ctx, 3*time.Second); err != nil { // for those that are late
		return figures{}, err
	}
	f := s.figures(from, to)
	f.lost, f.cpu, f.rss = jobs*seconds-f.came, after-before, rss
	return f, nil
}

// burst measures how soon p has fired jobs that are all due at one instant.
func (p peer) burst(ctx context.Context, s *sink, jobs int) (figures, error) {
	const patience = time.Minute
	at := time.Now().Truncate(time.Second).Add(p.load + 8*time.Second).UTC()
	s.reset(at)
	w, err := p.begin(ctx, load{jobs: jobs, cron: at.Format("5 4 15 2 1 *"), sink: s.url})
	if err != nil {
		return figures{}, err
	}
	defer w.stop()
	if time.Now().After(at) {
		return figures{}, fmt.Errorf("not ready %v after its start: give it longer", p.load+8*time.Second)
	}
	for s.count() < jobs && time.Since(at) < patience {
		if err := wait(ctx, 5*time.Millisecond); err != nil {
			return figures{}, err
		}
	}
	var stored time.Duration
	if w.open != nil {
		if stored, err = w.settle(ctx, at, patience); err != nil {
			return figures{}, err
		}
	}
	_, rss := w.usage()
	f := s.figures(at, at.Add(time.Second))
	f.lost, f.rss, f.rate = jobs-f.came, rss, float64(f.came)/f.last.Sub(at).Seconds()
	if stored > 0 {
		f.stored = float64(f.came) / stored.Seconds()
	}
	return f, nil
}

// wait waits, or says why it was not worth it.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
