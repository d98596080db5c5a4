package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
	"github.com/molecule-ai/molecli/internal/wire"
)

func TestWatch_looksAgainWhereItMakesSense(t *testing.T) {
	t.Parallel()
	want := []string{
		"agent list", "agent runs echo", "agent show echo", "incident list", "incident show " + stuckID, "liveness", "run list", "run show " + runID,
		"schedule list", "schedule next hello", "schedule show hello", "secrets list", "status",
	}
	var watchable []string
	for _, l := range typedLeaves() {
		cmd, _, err := tree().Find(strings.Fields(l.args))
		if err != nil {
			t.Fatal(err)
		}
		if f := cmd.Flags().Lookup("watch"); f != nil {
			watchable = append(watchable, l.args)
		}
	}
	slices.Sort(watchable)
	if diff := cmp.Diff(watchable, want); diff != "" {
		t.Fatalf("got, want:\n%s", diff)
	}
	for _, args := range watchable {
		for _, more := range [][]string{nil, {"-o", "json"}} {
			h, _ := operator(t)
			ctx, cancel := context.WithCancel(t.Context())
			h.onWrite = cancel // the first frame is enough
			got := h.runUntil(ctx, append(append(strings.Fields(args), "--watch"), more...)...)
			if got.status != wire.ExitInterrupted || got.out == "" || strings.Contains(got.out, "\x1b") {
				t.Errorf("%s %q: got %+v", args, more, got)
			}
			if line := strings.TrimSuffix(got.out, "\n"); more != nil && (strings.Contains(line, "\n") || !json.Valid([]byte(line))) {
				t.Errorf("%s --watch -o json: a look is not one line: %q", args, got.out)
			}
		}
	}
}

func TestWatch_showsEachLookOverTheLastOnATerminal(t *testing.T) {
	t.Parallel()
	h, _ := operator(t)
	ctx, cancel := context.WithCancel(t.Context())
	h = h.plain(80)
	writes := 0
	h.onWrite = func() {
		if writes++; writes == 2 { // the screen is erased, and then the whole of the frame comes
			cancel()
		}
	}
	got := h.runUntil(ctx, "agent", "list", "--watch")
	want := h
	want.onWrite = nil
	if once := want.run("agent", "list"); got.out != eraseScreen+once.out || got.status != wire.ExitInterrupted {
		t.Errorf("got %+v, want the list behind what erases the screen", got)
	}
}

func TestWatch_outlastsADaemonThatIsAwayAndABadState(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		err      error
		out, say string
		ends     bool
	}{
		{"all is well", nil, "seen\n", "", false},
		{"a state that has a status", judged(wire.ExitDead), "seen\n", "", false},
		{"away", molecule.Errorf(molecule.Unavailable, "it starts"), "", "✗ it starts\n", false},
		{"nothing that waiting helps against", molecule.Errorf(molecule.NotFound, "no such agent"), "", "", true},
	}
	for _, tt := range tests {
		var out, errs bytes.Buffer
		a := &app{env: Env{Streams: term.Streams{Out: &out, Err: &errs}, Lookup: func(string) (string, bool) { return "", false }, Now: noon}}
		newRoot(a)
		err := a.frame(t.Context(), func() error {
			writeLine(a.env.Streams.Out, "seen")
			return tt.err
		})
		if (err != nil) != tt.ends || out.String() != tt.out || errs.String() != tt.say {
			t.Errorf("%s: got %v, %q, %q", tt.name, err, out.String(), errs.String())
		}
	}
}
