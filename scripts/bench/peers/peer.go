package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
)

// peer is one scheduler.
type peer struct {
	name    string
	durable string
	missing string        // the variable that should name it; empty when it is there
	forks   bool          // it starts a process for each fire, or makes its jobs one by one
	load    time.Duration // how long it takes to be given its jobs
	version func(ctx context.Context) string
	start   func(ctx context.Context, w *work, l load) error
}

// load is what a peer is to do.
type load struct {
	jobs int
	cron string // six fields
	sink string // where each job sends its message
}

// peers returns all of them, ours first.
func peers(o options) []peer {
	moleculed, molecli := filepath.Join(o.bin, "moleculed"), filepath.Join(o.bin, "molecli")
	all := []peer{
		{name: "moleculed", durable: "yes", load: 4 * time.Second, version: func(ctx context.Context) string { return said(ctx, moleculed, "version") },
			start: daemon{moleculed, molecli}.start},
		{name: "gocron", durable: "no", version: linked("github.com/go-co-op/gocron/v2"), start: library("gocron")},
		{name: "robfig/cron", durable: "no", version: linked("github.com/robfig/cron/v3"), start: library("robfig")},
	}
	supercronic, dkron := os.Getenv("MOLECULE_BENCH_SUPERCRONIC"), os.Getenv("MOLECULE_BENCH_DKRON")
	all = append(all,
		peer{name: "supercronic", durable: "no", forks: true, version: built(supercronic), start: crontab(supercronic)},
		peer{name: "dkron", durable: "yes", forks: true, load: 10 * time.Second, version: built(dkron), start: dkronAgent(dkron)})
	for i, name := range []string{"MOLECULE_BENCH_SUPERCRONIC", "MOLECULE_BENCH_DKRON"} {
		if os.Getenv(name) == "" {
			all[len(all)-2+i].missing = name
		}
	}
	return all
}

// library starts a process that fires by a library.
func library(name string) func(context.Context, *work, load) error {
	return func(ctx context.Context, w *work, l load) error {
		return w.spawn(exec.CommandContext(ctx, itself(), "fire", name, l.sink, l.cron, fmt.Sprint(l.jobs)))
	}
}

// crontab starts supercronic, whose jobs are processes of this program.
func crontab(path string) func(context.Context, *work, load) error {
	return func(ctx context.Context, w *work, l load) error {
		var b strings.Builder
		for i := range l.jobs { // a seventh field is the year
			fmt.Fprintf(&b, "%s * %s post %s %s\n", l.cron, itself(), l.sink, job(i))
		}
		file := filepath.Join(w.dir, "crontab")
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, path, "-quiet", file)
		cmd.Env = append(os.Environ(), "TZ=UTC")
		return w.run(cmd)
	}
}

// linked returns the version of a module that this program is linked with.
func linked(module string) func(context.Context) string {
	return func(context.Context) string {
		info, _ := debug.ReadBuildInfo() // without it no module is found
		for _, m := range info.Deps {
			if m.Path == module {
				return m.Version
			}
		}
		return "unknown"
	}
}

// built returns the version that a program was built as.
func built(path string) func(context.Context) string {
	return func(context.Context) string {
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return "unknown"
		}
		return info.Main.Version
	}
}

// said returns what a program prints about its version.
func said(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), filepath.Base(name)+" ")
}

// begin starts p in a directory of its own and gives it its jobs.
func (p peer) begin(ctx context.Context, l load) (*work, error) {
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return nil, err
	}
	w := &work{dir: dir}
	if err := p.start(ctx, w, l); err != nil {
		return nil, errors.Join(err, w.stop())
	}
	return w, nil
}
