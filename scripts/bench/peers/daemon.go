package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// jobsOfAgent is how many schedules share an agent of moleculed.
const jobsOfAgent = 100

// daemon is moleculed, as it is installed: with every default, on a disk.
type daemon struct{ moleculed, molecli string }

// start starts the daemon, adds agents and imports the schedules.
func (d daemon) start(ctx context.Context, w *work, l load) error {
	socket := filepath.Join(w.dir, "s")
	if err := w.run(exec.CommandContext(ctx, d.moleculed, "serve", "--data-dir", filepath.Join(w.dir, "d"), "--listen", "unix://"+socket)); err != nil {
		return err
	}
	ask := func(args ...string) ([]byte, error) {
		out, err := exec.CommandContext(ctx, d.molecli, append(args, "--endpoint", "unix://"+socket)...).CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("molecli %s: %w: %s", args[0], err, out)
		}
		return out, nil
	}
	if _, err := ask("liveness", "--wait", "10s"); err != nil {
		return err
	}
	for a := range (l.jobs + jobsOfAgent - 1) / jobsOfAgent {
		if _, err := ask("agent", "add", agent(a), "--url", l.sink, "--max-concurrent", fmt.Sprint(jobsOfAgent)); err != nil {
			return err
		}
	}
	var b strings.Builder
	b.WriteString("schedules:\n")
	for i := range l.jobs {
		fmt.Fprintf(&b, "  - name: %s\n    agent: %s\n    cron: %q\n    seconds: true\n    prompt: %s\n", job(i), agent(i/jobsOfAgent), l.cron, job(i))
	}
	file := filepath.Join(w.dir, "schedules.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		return err
	}
	if _, err := ask("schedule", "import", file, "--timeout", "1m"); err != nil {
		return err
	}
	w.open = func(context.Context) (bool, error) {
		out, err := ask("run", "list", "--open", "--limit", "1", "-o", "name")
		return len(bytes.TrimSpace(out)) > 0, err
	}
	return nil
}

// agent returns the name of an agent.
func agent(i int) string { return fmt.Sprintf("agent-%03d", i) }
