package schedulefile

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// WriteYAML writes schedules in the one form that export has: the fields in this
// order, no default, no comment. Read reads it as the same schedules.
func WriteYAML(w io.Writer, specs []molecule.ScheduleSpec) error {
	out := yamlWriter{bufio.NewWriter(w)}
	if len(specs) == 0 {
		_, _ = out.WriteString(empty) // Flush tells
		return out.Flush()
	}
	_, _ = out.WriteString(head)
	for i := range specs {
		out.schedule(&specs[i])
	}
	return out.Flush()
}

// The canonical form of what stands before a value.
const (
	empty = "schedules: []\n"
	head  = "schedules:\n"
	first = "  - " // the first field of a schedule
	next  = "    " // the others
	deep  = "      "
)

// yamlWriter writes fields. That it cannot is told by Flush.
type yamlWriter struct{ *bufio.Writer }

func (w yamlWriter) schedule(s *molecule.ScheduleSpec) {
	_, _ = w.WriteString(first + "name: " + scalar(s.Name) + "\n")
	w.field("agent", scalar(s.Agent))
	w.field("cron", quoted(s.Cron))
	w.text("tz", s.TZ)
	w.text("dst", s.DST)
	if s.Seconds {
		w.field("seconds", "true")
	}
	w.duration("phase", s.Phase)
	w.duration("timeout", s.Timeout)
	if s.Paused != nil {
		w.field("paused", strconv.FormatBool(*s.Paused))
	}
	w.policy(&s.Policy)
	w.field("prompt", block(s.Prompt))
}

func (w yamlWriter) policy(p *molecule.Policy) {
	w.text("catch_up", string(p.CatchUp))
	w.duration("catch_up_window", p.CatchUpWindow)
	w.number("catch_up_max", p.CatchUpMax)
	w.text("overlap", string(p.Overlap))
	w.duration("jitter", p.Jitter)
	w.text("jitter_mode", string(p.JitterMode))
	if p.Retries != nil {
		w.field("retries", strconv.Itoa(*p.Retries))
	}
	w.text("resend", string(p.Resend))
	if p.Budget != nil {
		w.field("budget", "{"+strings.Join(budget(*p.Budget), ", ")+"}")
	}
	if len(p.Exclusions) > 0 {
		names := make([]string, len(p.Exclusions))
		for i, name := range p.Exclusions {
			names[i] = scalar(name)
		}
		w.field("exclusions", "["+strings.Join(names, ", ")+"]")
	}
	w.number("max_runs", p.MaxRuns)
	if !p.Until.IsZero() {
		w.field("until", quoted(p.Until.UTC().Format(time.RFC3339Nano)))
	}
}

// budget returns the bounds of b, and its window.
func budget(b molecule.Budget) []string {
	var parts []string
	if b.Runs != 0 {
		parts = append(parts, "runs: "+strconv.Itoa(b.Runs))
	}
	if b.Tokens != 0 {
		parts = append(parts, "tokens: "+strconv.FormatInt(b.Tokens, 10))
	}
	if b.CostUSD != 0 {
		parts = append(parts, "cost_usd: "+strconv.FormatFloat(b.CostUSD, 'f', -1, 64))
	}
	if b.Window != 0 {
		parts = append(parts, "window: "+b.Window.String())
	}
	return parts
}

func (w yamlWriter) field(key, value string) {
	_, _ = w.WriteString(next + key + ": " + value + "\n")
}

// text, duration and number write what is not the default.
func (w yamlWriter) text(key, value string) {
	if value != "" {
		w.field(key, scalar(value))
	}
}

func (w yamlWriter) duration(key string, d molecule.Duration) {
	if d != 0 {
		w.field(key, d.String())
	}
}

func (w yamlWriter) number(key string, n int) {
	if n != 0 {
		w.field(key, strconv.Itoa(n))
	}
}

// scalar returns s without quotes when every reader of YAML takes it for the
// same text.
func scalar(s string) string {
	if s != "" && (s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z') && plain(s) && !wordOfYAML(s) {
		return s
	}
	return quoted(s)
}

// plain reports whether s has only characters that mean nothing to YAML, and no
// blank at an end.
func plain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte(" _./,;()+-", c) < 0:
			return false
		}
	}
	return s != "" && s[0] != ' ' && s[len(s)-1] != ' '
}

// wordOfYAML reports whether s is a truth value or nothing to some reader.
func wordOfYAML(s string) bool {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "y", "n", "null":
		return true
	}
	return false
}

// quoted returns s in double quotes.
func quoted(s string) string {
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\t':
			b = append(b, '\\', 't')
		case unicode.IsPrint(r):
			b = append(b, string(r)...)
		case r < 0x100:
			b = fmt.Appendf(b, `\x%02x`, r)
		case r < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = fmt.Appendf(b, `\U%08x`, r)
		}
	}
	return string(append(b, '"'))
}

// block returns a text of several lines as they are, and another as a scalar.
func block(s string) string {
	body, ended := strings.CutSuffix(s, "\n")
	lines := strings.Split(body, "\n")
	if len(lines) == 1 && !ended || !blockable(lines) {
		return scalar(s)
	}
	mark := "|-"
	if ended {
		mark = "|"
	}
	for i, line := range lines {
		if line != "" {
			lines[i] = deep + line
		}
	}
	return mark + "\n" + strings.Join(lines, "\n")
}

// blockable reports whether lines can be written as they are.
func blockable(lines []string) bool {
	if lines[0] == "" || lines[0][0] == ' ' || lines[len(lines)-1] == "" {
		return false
	}
	for _, line := range lines {
		if strings.HasSuffix(line, " ") || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) || r == '\ufffd' }) {
			return false
		}
	}
	return true
}
