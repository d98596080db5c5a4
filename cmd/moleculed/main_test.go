package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain lets the test binary be the program itself.
func TestMain(m *testing.M) {
	if os.Getenv("MOLECULED_TEST_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

func TestMain_exitsWithTheStatusOfTheCommand(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args   string
		status int
		says   string
	}{
		{"version", 0, "moleculed "},
		{"help serve", 0, "moleculed serve [FLAGS]"},
		{"help servd", 2, "did you mean moleculed serve?"},
		{"no-such-command", 2, `unknown command "no-such-command"`},
		{"serve --data-dir /dev/null --listen unix:///no/such/socket", 4, "is a file, not a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], strings.Fields(tt.args)...)
			cmd.Env = append(os.Environ(), "MOLECULED_TEST_MAIN=1", "GORACE=atexit_sleep_ms=10")
			out, err := cmd.CombinedOutput()
			if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if got := cmd.ProcessState.ExitCode(); got != tt.status || !strings.Contains(string(out), tt.says) {
				t.Errorf("exit %d, want %d:\n%s", got, tt.status, out)
			}
		})
	}
}
