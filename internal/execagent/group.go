package execagent

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
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

// startOf returns the start time of a process, field 22 of its stat.
func startOf(pid int) (string, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", err
	}
	// The name, field 2, is in parentheses and may hold anything.
	i := strings.LastIndexByte(string(b), ')')
	f := strings.Fields(string(b[i+1:]))
	const startTime = 22 - 3 // the first field behind the name is the third
	if i < 0 || len(f) <= startTime {
		return "", fmt.Errorf("stat of %d is not readable", pid)
	}
	return f[startTime], nil
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
