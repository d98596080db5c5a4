package daemon

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// harden keeps what this process has in memory in it: it leaves no core behind
// when it crashes, and no process of the same user may look into it.
func harden() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("leave no core behind: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("let nobody look into this process: %w", err)
	}
	return nil
}
