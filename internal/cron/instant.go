package cron

import (
	"strings"
	"time"
)

// compileEvery reads what stands behind @every.
func compileEvery(name, text string, phase time.Duration) (*spec, string, error) {
	line := printable(name + " " + text)
	sp := span{len(name) + 1, len(line)}
	interval, err := time.ParseDuration(strings.ReplaceAll(text, " ", ""))
	switch {
	case text == "":
		return nil, "", invalid("%s says no interval", name).WithHint("write it as @every 90s")
	case err != nil && strings.Trim(text, "0123456789") == "":
		return nil, "", pointAt(line, sp, "%q has no unit, did you mean %ss?", text, text)
	case err != nil:
		return nil, "", pointAt(line, sp, "%q is not an interval", printable(text)).
			WithHint("the units are h, m and s: @every 90s, @every 1h30m; a day is 24h, though @daily keeps the time of day")
	case interval < time.Second:
		return nil, "", pointAt(line, sp, "the interval must be at least 1s").WithHint("write it as @every 90s")
	case interval%time.Second != 0:
		return nil, "", pointAt(line, sp, "the interval must be whole seconds, did you mean %s?", short(interval.Round(time.Second)))
	}
	every := &spec{interval: int64(interval / time.Second)}
	every.phase = int64(phase/time.Second) % every.interval
	if every.phase < 0 {
		every.phase += every.interval
	}
	return every, "@every " + short(interval), nil
}

// short writes a duration without the parts that are zero: 1h30m, not 1h30m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// compileAt reads what stands behind @at. That the instant has passed is no
// fault here: a stored one-shot is read again when it is over.
func compileAt(name, text string) (*spec, string, error) {
	line := printable(name + " " + text)
	at, err := time.Parse(time.RFC3339, text)
	switch {
	case text == "":
		return nil, "", invalid("%s says no instant", name).WithHint("write it as @at 2026-12-01T08:00:00Z")
	case err != nil:
		return nil, "", pointAt(line, span{len(name) + 1, len(line)}, "%q is not an instant", printable(text)).
			WithHint("write it as @at 2026-12-01T08:00:00Z or with an offset, @at 2026-12-01T08:00:00+01:00")
	case at.Nanosecond() != 0:
		return nil, "", pointAt(line, span{len(name) + 1, len(line)}, "the instant must be a whole second, did you mean %s?",
			at.Truncate(time.Second).Format(time.RFC3339))
	case at.Unix() < minUnix || at.Unix() > maxUnix:
		return nil, "", pointAt(line, span{len(name) + 1, len(line)}, "the instant must be within the years 1 to 9999 of UTC")
	}
	return &spec{once: true, at: at.Unix()}, "@at " + at.UTC().Format(time.RFC3339), nil
}
