package term

import (
	"fmt"
	"time"
)

// The values of --time.
const (
	TimeRelative = "relative"
	TimeISO      = "iso"
	TimeLocal    = "local"
)

// Times writes instants the way the reader wants them.
type Times struct {
	Style string         // one of the Time constants; anything else is TimeISO
	Zone  *time.Location // for TimeLocal; nil is UTC
	Now   time.Time      // what TimeRelative is relative to
}

// Format writes t; "" for the zero time.
func (ts Times) Format(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case ts.Style == TimeRelative:
		return Relative(t, ts.Now)
	case ts.Style == TimeLocal:
		return t.In(ts.zone()).Format("2006-01-02 15:04:05 MST")
	}
	return t.UTC().Format(time.RFC3339)
}

func (ts Times) zone() *time.Location {
	if ts.Zone == nil {
		return time.UTC
	}
	return ts.Zone
}

// Relative writes t as seen from now: "12s ago", "in 3m", "now".
func Relative(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case d >= time.Second:
		return Span(d) + " ago"
	case d <= -time.Second:
		return "in " + Span(-d)
	}
	return "now"
}

// Span writes a duration by its largest unit: "45s", "3m", "26h", "12d".
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/day)
}
