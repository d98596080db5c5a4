package execagent

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// passed reports whether every command may see the variable.
func passed(name string) bool {
	switch name {
	case "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR":
		return true
	}
	return strings.HasPrefix(name, "LC_")
}

// withheld reports whether no command may see the variable: with it one would
// speak to the service manager in the daemon's name.
func withheld(name string) bool {
	switch name {
	case "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES":
		return true
	}
	return false
}

// environment returns what a command sees of the daemon's own variables, a
// short list and those its agent names, and what its run is about.
func environment(own []string, d molecule.Delivery, deadline time.Time) []string {
	var env []string
	for _, kv := range own {
		name, _, _ := strings.Cut(kv, "=")
		if !withheld(name) && (passed(name) || slices.Contains(d.Agent.Exec.PassEnv, name)) {
			env = append(env, kv)
		}
	}
	env = append(env,
		"MOLECULE_RUN_ID="+d.Run.ID,
		"MOLECULE_SCHEDULE="+d.Run.Schedule,
		"MOLECULE_SLOT="+d.Run.Slot.UTC().Format(time.RFC3339),
		"MOLECULE_ATTEMPT="+strconv.Itoa(d.Attempt),
	)
	if !deadline.IsZero() {
		env = append(env, "MOLECULE_DEADLINE="+deadline.UTC().Format(time.RFC3339))
	}
	return env
}
