package execagent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// group is a process group that a command runs in. Boot and start tell it from
// a later one with the same number.
type group struct {
	boot  string
	pgid  int
	start string // of its leader, in ticks since boot
}

// bootID names this boot of the machine.
func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
}

// groupOf describes the group whose leader is pid.
func groupOf(pid int) (group, error) {
	boot, err := bootID()
	if err != nil {
		return group{}, fmt.Errorf("read boot id: %w", err)
	}
	start, err := startOf(pid)
	if err != nil {
		return group{}, fmt.Errorf("read start time: %w", err)
	}
	return group{boot: boot, pgid: pid, start: start}, nil
}

// Fields of /proc/PID/stat, counted from the one behind the name.
const (
	statState = 0 // field 3
	statGroup = 5 - 3
	statStart = 22 - 3
)

// stat returns the fields of /proc/PID/stat behind the name.
func stat(pid string) ([]string, error) {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return nil, err
	}
	// The name is in parentheses and may hold anything.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) <= statStart {
		return nil, fmt.Errorf("stat of %s is not readable", pid)
	}
	return f, nil
}

// startOf returns the start time of a process.
func startOf(pid int) (string, error) {
	f, err := stat(strconv.Itoa(pid))
	if err != nil {
		return "", err
	}
	return f[statStart], nil
}

// String is the handle of the group.
func (g group) String() string { return fmt.Sprintf("exec:%s:%d:%s", g.boot, g.pgid, g.start) }

// parseGroup reads what String wrote.
func parseGroup(handle string) (group, error) {
	f := strings.Split(handle, ":")
	if len(f) != 4 || f[0] != "exec" {
		return group{}, fmt.Errorf("%q is not the handle of a command", handle)
	}
	pgid, err := strconv.Atoi(f[2])
	if err != nil || pgid <= 1 {
		return group{}, fmt.Errorf("%q names no process group", handle)
	}
	return group{boot: f[1], pgid: pgid, start: f[3]}, nil
}

// leads reports whether the leader of g is still the process it was.
func (g group) leads() bool {
	now, err := groupOf(g.pgid)
	return err == nil && now == g
}

// signal sends sig to every process of the group; none left is no error.
func (g group) signal(sig syscall.Signal) error {
	if g.pgid <= 1 {
		return fmt.Errorf("no group %d of ours", g.pgid) // 0 would be ourselves, 1 everybody
	}
	if err := syscall.Kill(-g.pgid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal group %d: %w", g.pgid, err)
	}
	return nil
}

// goneWithin bounds the wait for processes that were killed to be no more.
const goneWithin = time.Second

// gone waits until no process of the group lives and reports whether that is
// so: the kernel kills after kill has returned. The end of ctx does not
// shorten the wait.
func (g group) gone(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goneWithin)
	defer cancel()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for g.lives() {
		select {
		case <-again.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// lives reports whether a process of the group is more than a zombie. One that
// lost its parent stays a zombie until init collects it, which may be never.
func (g group) lives() bool {
	if errors.Is(syscall.Kill(-g.pgid, 0), syscall.ESRCH) {
		return false // the common case, without a look at every process
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return true
	}
	for _, e := range entries {
		f, err := stat(e.Name())
		if err == nil && f[statGroup] == strconv.Itoa(g.pgid) && f[statState] != "Z" && f[statState] != "X" {
			return true
		}
	}
	return false
}
