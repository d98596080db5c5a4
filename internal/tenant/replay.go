package tenant

import (
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// maxReplayBytes is the longest Fly-Replay-Src line that is read.
const maxReplayBytes = 1024

// Trust turns the setting tenant.trust_fly_replay into a decision. Mode auto
// trusts the header on a Fly machine, which is known by the variables Fly sets
// there; getenv looks them up. Any mode but on, off and auto is Invalid.
func Trust(mode string, getenv func(string) string) (bool, error) {
	switch mode {
	case "on":
		return true, nil
	case "off":
		return false, nil
	case "auto":
		return getenv("FLY_APP_NAME") != "" && getenv("FLY_MACHINE_ID") != "", nil
	}
	return false, molecule.Errorf(molecule.Invalid, "tenant.trust_fly_replay is %q", molecule.Excerpt(mode, 40)).
		WithHint("use on, off or auto")
}

// replayState returns the state field of a Fly-Replay-Src header, such as
// "instance=1781;region=fra;t=1776176460;state=acme". It returns "", which is
// no id, unless there is exactly one line with exactly one such field.
func replayState(lines []string) string {
	line := sole(lines)
	if len(line) > maxReplayBytes {
		return ""
	}
	state, fields := "", 0
	for line != "" {
		var field string
		field, line, _ = strings.Cut(line, ";")
		value, found := strings.CutPrefix(trimBlank(field), "state")
		if found && (value == "" || value[0] == '=') {
			state = strings.TrimPrefix(value, "=")
			fields++
		}
	}
	if fields != 1 {
		return ""
	}
	return state
}

// trimBlank cuts spaces and tabs off both ends. The guard has no time for
// strings.Trim, which makes a table of the two first.
func trimBlank(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}
