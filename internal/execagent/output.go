package execagent

import (
	"bytes"
	"strings"
	"sync"
)

// Bounds of what is read of a command.
const (
	maxStdout   = 1 << 20
	maxStderr   = 64 << 10 // the end of it
	stderrLines = 10       // shown
)

// capped keeps what is written up to a limit, and calls full once when there
// is more.
type capped struct {
	limit int
	full  func()

	mu   sync.Mutex
	kept bytes.Buffer
	over bool
}

// Write takes all of b, so that the command never blocks on us.
func (c *capped) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if room := c.limit - c.kept.Len(); len(b) > room {
		c.kept.Write(b[:max(room, 0)])
		if !c.over {
			c.over = true
			c.full()
		}
		return len(b), nil
	}
	return c.kept.Write(b)
}

// result returns what was kept and whether there was more.
func (c *capped) result() (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept.String(), c.over
}

// tail keeps the end of what is written.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

// Write takes b and forgets what is too long ago.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if over := len(t.kept) - maxStderr; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(b), nil
}

// lastLines returns the last lines, as valid UTF-8.
func (t *tail) lastLines() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(strings.ToValidUTF8(string(t.kept), "\uFFFD"))
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(len(lines)-stderrLines, 0):], "\n")
}
