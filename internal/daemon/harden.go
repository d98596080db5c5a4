package daemon

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// harden keeps what this process has to it: its files are its user's alone, it
// leaves no core behind when it crashes, and no process of the same user may look
// into it. It changes the whole process, so it is not for New, which others call
// within theirs.
func harden() error {
	unix.Umask(0o077)
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("leave no core behind: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("let nobody look into this process: %w", err)
	}
	return nil
}
