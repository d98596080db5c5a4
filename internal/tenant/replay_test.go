package tenant

import (
	"strings"
	"testing"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestReplayState_needsExactlyOneFieldOnOneLine(t *testing.T) {
	t.Parallel()
	fits := "state=acme;pad=" + strings.Repeat("x", maxReplayBytes-len("state=acme;pad="))
	for _, tt := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"as the edge writes it", []string{"instance=1781;region=fra;t=1776176460;state=acme"}, "acme"},
		{"alone", []string{"state=acme"}, "acme"},
		{"space and tab around fields", []string{" region=fra ;\tstate=acme \t; t=1"}, "acme"},
		{"empty fields", []string{";;state=acme;;"}, "acme"},
		{"no header", nil, ""},
		{"empty", []string{""}, ""},
		{"no state", []string{"instance=1781;region=fra"}, ""},
		{"two lines", []string{"state=acme", "state=acme"}, ""},
		{"two lines, one empty", []string{"state=acme", ""}, ""},
		{"two fields", []string{"state=acme;state=acme"}, ""},
		{"a second field without value", []string{"state=acme;state"}, ""},
		{"a field without value", []string{"state"}, ""},
		{"other case", []string{"State=acme"}, ""},
		{"space inside the key", []string{"state =acme"}, ""},
		{"longer key", []string{"xstate=acme"}, ""},
		{"space inside the value stays", []string{"state= acme"}, " acme"},
		{"the older prefix stays", []string{"state=org-id=acme"}, "org-id=acme"},
		{"quotes stay", []string{`state="acme"`}, `"acme"`},
		{"comma is no separator", []string{"state=acme,region=fra"}, "acme,region=fra"},
		{"no-break space is not trimmed", []string{"\u00a0state=acme"}, ""},
		{"the longest line", []string{fits}, "acme"},
		{"one byte too long", []string{fits + "x"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := replayState(tt.lines); got != tt.want {
				t.Errorf("replayState(%.60q) = %q, want %q", tt.lines, got, tt.want)
			}
		})
	}
}

func TestTrust_autoNeedsBothVariables(t *testing.T) {
	t.Parallel()
	fly := map[string]string{"FLY_APP_NAME": "acme", "FLY_MACHINE_ID": "1781"}
	for _, tt := range []struct {
		mode string
		env  map[string]string
		want bool
		code molecule.Code
	}{
		{mode: "on", want: true},
		{mode: "off", env: fly},
		{mode: "auto", env: fly, want: true},
		{mode: "auto"},
		{mode: "auto", env: map[string]string{"FLY_APP_NAME": "acme"}},
		{mode: "auto", env: map[string]string{"FLY_MACHINE_ID": "1781"}},
		{mode: "", env: fly, code: molecule.Invalid},
		{mode: "ON", env: fly, code: molecule.Invalid},
	} {
		got, err := Trust(tt.mode, func(name string) string { return tt.env[name] })
		if got != tt.want || (err != nil) != (tt.code != "") || (err != nil && molecule.CodeOf(err) != tt.code) {
			t.Errorf("Trust(%q, %v) = %v, %v, want %v and code %q", tt.mode, tt.env, got, err, tt.want, tt.code)
		}
	}
}

func FuzzReplayState(f *testing.F) {
	for _, seed := range []string{
		"", "state=acme", "instance=1781;region=fra;t=1776176460;state=acme", "state=a;state=b", "state", ";;=;state==",
		" \tstate=acme\t ", "state=org-id=acme", "STATE=acme", "state=acme;state",
	} {
		f.Add(seed)
	}
	for _, l := range corpus(f, "replays.tsv") {
		f.Add(l.text)
	}
	f.Fuzz(func(t *testing.T, line string) {
		state := replayState([]string{line})
		if state == "" {
			return
		}
		if len(line) > maxReplayBytes {
			t.Errorf("a line of %d bytes gave the state %q", len(line), state)
		}
		if strings.Contains(state, ";") || !strings.Contains(line, "state="+state) {
			t.Errorf("%q is no field of %q", state, line)
		}
		// The same field again makes the header ambiguous, wherever it stands.
		for _, doubled := range []string{line + ";state=x", "state=x;" + line} {
			if got := replayState([]string{doubled}); got != "" {
				t.Errorf("replayState(%q) = %q, want none", doubled, got)
			}
		}
	})
}
