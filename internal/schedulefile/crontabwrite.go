package schedulefile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// Left is a schedule that a file cannot say, and why.
type Left struct{ Name, Why string }

// WriteCrontab writes schedules as the crontab that Read reads as the same ones,
// and cron as the same times. What cannot be said so is left out and returned.
func WriteCrontab(w io.Writer, specs []molecule.ScheduleSpec) (left []Left, err error) {
	out := new(bytes.Buffer)
	tz, agent, gap := "", "", ""
	for _, spec := range specs {
		why, err := unsaid(spec)
		if err != nil {
			return nil, err
		}
		text, ok := command(spec.Prompt)
		if why == "" && !ok {
			why = "its prompt has a form that cron reads otherwise"
		}
		if why != "" {
			left = append(left, Left{spec.Name, why})
			continue
		}
		if spec.TZ != tz {
			fmt.Fprintf(out, "%sCRON_TZ=%s\n", gap, spec.TZ)
			gap = ""
		}
		if spec.Agent != agent {
			fmt.Fprintf(out, "%s# agent: %s\n", gap, spec.Agent)
		}
		tz, agent, gap = spec.TZ, spec.Agent, "\n"
		fmt.Fprintf(out, "\n# %s\n%s %s\n", spec.Name, spec.Cron, text)
	}
	_, err = out.WriteTo(w)
	return left, err
}

// command returns a prompt as the command of a crontab; false when it would be
// read as another.
func command(prompt string) (string, bool) {
	text := strings.NewReplacer("%", `\%`, "\n", "%").Replace(prompt)
	return text, expandPercent(text) == prompt && strings.Trim(text[:1], blanks) != "" && !strings.HasSuffix(text, "\r")
}

// unsaid returns why a crontab cannot say all of spec; "" when it can.
func unsaid(spec molecule.ScheduleSpec) (string, error) {
	raw, err := json.Marshal(spec)
	if err != nil {
		return "", fmt.Errorf("encode schedule %s: %w", spec.Name, err)
	}
	said := make(map[string]json.RawMessage)
	if err := json.Unmarshal(raw, &said); err != nil {
		return "", fmt.Errorf("encode schedule %s: %w", spec.Name, err)
	}
	for _, field := range []string{"name", "agent", "cron", "tz", "prompt"} {
		delete(said, field)
	}
	if len(said) > 0 {
		return "a crontab says nothing of " + strings.Join(slices.Sorted(maps.Keys(said)), ", "), nil
	}
	return unsaidWhen(spec), nil
}

// unsaidWhen returns why cron would not understand when spec is due.
func unsaidWhen(spec molecule.ScheduleSpec) string {
	compiled, err := cron.Parse(spec.Cron, cron.Options{TZ: spec.TZ})
	if err != nil {
		return err.Error()
	}
	switch fields := strings.Fields(spec.Cron); {
	case compiled.Once():
		return "cron knows nothing that happens once"
	case compiled.Interval() > 0:
		return "cron knows no intervals"
	case len(fields) != 5:
		return "cron knows no years"
	case strings.ContainsAny(fields[2], "LW"), strings.Contains(fields[4], "#"), strings.Contains(fields[4]+",", "L,"):
		return "cron knows no L, W and #"
	case slices.ContainsFunc(fields, wraps):
		return "cron knows no range that runs over the end"
	}
	return ""
}

// wraps reports whether a field has a range that runs over its end.
func wraps(field string) bool {
	for item := range strings.SplitSeq(field, ",") {
		body, _, _ := strings.Cut(item, "/")
		if from, to, ranged := strings.Cut(body, "-"); ranged && valueOf(from) > valueOf(to) {
			return true
		}
	}
	return false
}

// valueOf returns the value of a number or a name in its canonical form.
func valueOf(word string) int {
	if n, err := strconv.Atoi(word); err == nil {
		return n
	}
	const names = "SUN MON TUE WED THU FRI SAT JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
	return strings.Index(names, word) // of one field, names have the order of their values
}
