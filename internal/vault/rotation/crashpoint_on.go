//go:build crashpoints

package rotation

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
)

// crashAt is a variable for tests, not a setting: the number of the point at
// which the daemon kills itself.
const crashAt = "MOLECULE_CRASH_AT"

// crashPoint returns what counts the points and dies at the one that is asked
// for.
func crashPoint() func(string) {
	at, err := strconv.ParseInt(os.Getenv(crashAt), 10, 64)
	if err != nil {
		return nil
	}
	var reached atomic.Int64
	return func(point string) {
		if reached.Add(1) != at {
			return
		}
		fmt.Fprintf(os.Stderr, "crash point %d: %s\n", at, point)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // nothing follows
		select {}
	}
}
