package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// work is a peer that was started.
type work struct {
	dir  string // its own
	cmd  *exec.Cmd
	errs bytes.Buffer                                     // what it said on its standard error
	open func(ctx context.Context) (more bool, err error) // whether results are still to be stored; nil when none are
}

// run starts cmd.
func (w *work) run(cmd *exec.Cmd) error {
	cmd.Stderr = &w.errs
	if err := cmd.Start(); err != nil {
		return err
	}
	w.cmd = cmd
	return nil
}

// spawn starts cmd and waits for the line in which it says that it is ready.
func (w *work) spawn(cmd *exec.Cmd) error {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := w.run(cmd); err != nil {
		return err
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return fmt.Errorf("not ready: %q, %w", line, err)
	}
	return nil
}

// stop ends the process and removes its directory.
func (w *work) stop() error {
	if w.cmd != nil {
		kill := time.AfterFunc(10*time.Second, func() { _ = w.cmd.Process.Kill() }) // it may have ended by now
		_ = w.cmd.Process.Signal(syscall.SIGTERM)                                   // likewise
		_ = w.cmd.Wait()                                                            // how it ended is no matter here
		kill.Stop()
	}
	return os.RemoveAll(w.dir)
}

// settle waits until no result is to be stored, and returns how long after an
// instant that was.
func (w *work) settle(ctx context.Context, at time.Time, patience time.Duration) (time.Duration, error) {
	for time.Since(at) < patience {
		more, err := w.open(ctx)
		if err != nil {
			return 0, err
		}
		if !more {
			return time.Since(at), nil
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return 0, err
		}
	}
	return 0, errors.New("results are still to be stored")
}

// usage returns what the process and those it started have used of the
// processors, and how many MB they hold.
func (w *work) usage() (time.Duration, float64) {
	var cpu time.Duration
	var rss float64
	all := processes()
	family := map[int]bool{w.cmd.Process.Pid: true}
	for grown := true; grown; { // until no child of any is left out
		grown = false
		for pid, p := range all {
			if !family[pid] && family[p.parent] {
				family[pid], grown = true, true
			}
		}
	}
	for pid := range family {
		cpu += all[pid].cpu
		rss += all[pid].rss
	}
	return cpu, rss
}

// process is what /proc says of one.
type process struct {
	parent int
	cpu    time.Duration // with that of children that were waited for
	rss    float64       // MB
}

// processes returns all there are.
func processes() map[int]process {
	all := map[int]process{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		_, after, _ := strings.Cut(string(stat), ") ") // the name of the program may hold blanks
		f := strings.Fields(after)
		if len(f) < 22 {
			continue
		}
		number := func(i int) int { n, _ := strconv.Atoi(f[i]); return n } // the kernel writes numbers
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))          // as the pattern has it
		all[pid] = process{
			parent: number(1),
			cpu:    time.Duration(number(11)+number(12)+number(13)+number(14)) * 10 * time.Millisecond,
			rss:    float64(number(21)*os.Getpagesize()) / 1e6,
		}
	}
	return all
}

// loadAverage returns that of the last minute.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
