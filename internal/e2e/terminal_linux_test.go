package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal returns both ends of a terminal of 80 columns.
func openTerminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ours.Close() })
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(ours.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// TestTerminal_isNeverAsked runs commands on a terminal that shows what it is
// sent and answers nothing. A program that asked for its colours or its cursor
// would wait for an answer for seconds: so nothing but colours may be sent.
func TestTerminal_isNeverAsked(t *testing.T) {
	t.Parallel()
	s := newStage(t, usual)
	ours, theirs := openTerminal(t)
	lines := []string{
		"molecli", "molecli --help", "molecli help cron", "molecli liveness", "molecli liveness --wait 30s", "molecli status", "molecli doctor",
		"molecli whoami", "molecli version", "molecli agent list", "molecli agent show echo", "molecli agent run echo --prompt hi",
		"molecli schedule list", "molecli schedule show hello", "molecli schedule next hello", "molecli schedule run hello",
		"molecli schedule history hello", "molecli schedule remove hello --no-input", "molecli run list -o wide", "molecli incident list",
		"molecli event list", "molecli event list -o json", "molecli audit list", "molecli token list", "molecli secrets list",
		"molecli config list", "molecli context list", "molecli nonsense", "molecli agent show nobody", "moleculed --help", "moleculed check-config",
	}
	cmd := s.shell(strings.Join(lines, "; "))
	cmd.Env = append(cmd.Env, "TERM=xterm-256color", "COLORTERM=truecolor", "NO_COLOR=")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	var shown bytes.Buffer
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(&shown, ours) }) // ends with EIO when nobody has the other end
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := theirs.Close(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the last command: %v", err)
	}
	reading.Wait()
	colour := regexp.MustCompile(`\x1b\[[0-9;]*m`)
	if n := len(colour.FindAllString(shown.String(), -1)); n < 50 {
		t.Errorf("only %d colours: the terminal is not taken for one\n%s", n, shown.String())
	}
	for line := range strings.Lines(colour.ReplaceAllString(shown.String(), "")) {
		if strings.ContainsAny(line, "\x1b\x05\u009b\u0090\u009d") {
			t.Errorf("the terminal is asked or moved: %q", line)
		}
	}
}
