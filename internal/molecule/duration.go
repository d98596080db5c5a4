package molecule

import (
	"strings"
	"time"
)

// Duration is a time.Duration that is written as text, "20m" or "1h30m".
type Duration time.Duration

// String returns d without the zero units time.Duration prints: "20m", not
// "20m0s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes d as String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what time.ParseDuration reads; an error is Invalid.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return Errorf(Invalid, "duration %q is not valid", clip(string(text), 40)).WithHint("write it as 90s, 20m or 1h30m")
	}
	*d = Duration(v)
	return nil
}
