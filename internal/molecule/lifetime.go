package molecule

import (
	"strconv"
	"strings"
	"time"
)

// day is one of a Lifetime: what lives for weeks is not ended by a change of
// the clock.
const day = 24 * time.Hour

// Lifetime is how long something lives. It is written with days, "90d" or
// "1d12h", which a [Duration] has not.
type Lifetime time.Duration

// String returns l with as many days as it has.
func (l Lifetime) String() string {
	days, rest := time.Duration(l)/day, time.Duration(l)%day
	switch {
	case days == 0:
		return Duration(rest).String()
	case rest == 0:
		return strconv.FormatInt(int64(days), 10) + "d"
	}
	return strconv.FormatInt(int64(days), 10) + "d" + Duration(rest.Abs()).String()
}

// MarshalText writes l as String does.
func (l Lifetime) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads days, hours and what time.ParseDuration reads; an error is
// Invalid.
func (l *Lifetime) UnmarshalText(text []byte) error {
	v, err := ParseLifetime(string(text))
	*l = v
	return err
}

// maxLifetime is far behind any that is meant, and far before what overflows.
const maxLifetime = 100 * 366 * day

// ParseLifetime reads a lifetime. It is never negative.
func ParseLifetime(text string) (Lifetime, error) {
	invalid := Errorf(Invalid, "%q is no length of time", clip(text, 40)).WithHint("write it as 90d, 36h or 1d12h")
	var total time.Duration
	rest := text
	if days, behind, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, invalid
		}
		total, rest = time.Duration(n)*day, behind
		if rest == "" {
			return bounded(total, invalid)
		}
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 {
		return 0, invalid
	}
	return bounded(total+more, invalid)
}

func bounded(d time.Duration, otherwise error) (Lifetime, error) {
	if d > maxLifetime {
		return 0, otherwise
	}
	return Lifetime(d), nil
}
