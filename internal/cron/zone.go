package cron

import (
	_ "embed"
	"os"
	"path/filepath"
	"strings"
	"time"
	_ "time/tzdata" // zones also where the system has none

	"github.com/molecule-ai/molecli/internal/molecule"
)

// zoneNames lists the IANA names, one a line: what an unknown name is compared
// with. Which zones exist is up to time.LoadLocation.
//
//go:embed zones.txt
var zoneNames string

// loadZone returns the IANA name and the rules of the zone tz; "" is UTC and
// "local" the zone of this machine.
func loadZone(tz string) (string, *time.Location, error) {
	switch strings.ToLower(tz) {
	case "", "utc":
		return "UTC", time.UTC, nil
	case "local":
		name, err := LocalZone()
		if err != nil {
			return "", nil, err
		}
		tz = name
	}
	loc, err := time.LoadLocation(tz)
	if err != nil || unnamed(tz) {
		return "", nil, unknownZone(tz)
	}
	return tz, loc, nil
}

// chooseZone returns the zone of an expression that names inner itself, where
// beside it outer was said; both may be empty.
func chooseZone(inner, outer string) (string, *time.Location, error) {
	name, loc, err := loadZone(outer)
	if inner == "" || err != nil {
		return name, loc, err
	}
	named, loc, err := loadZone(inner)
	if err == nil && outer != "" && name != named {
		err = molecule.Errorf(molecule.Invalid, "the expression names the time zone %s, beside it %s is given", named, name).
			WithHint("leave one of them out")
	}
	return named, loc, err
}

// unnamed reports whether tz is a file of the zone database that is no zone
// name: right/ counts leap seconds, the others differ from machine to machine.
func unnamed(tz string) bool {
	first, _, _ := strings.Cut(tz, "/")
	switch first {
	case "right", "posix", "posixrules", "localtime", "Factory":
		return true
	}
	return false
}

func unknownZone(tz string) error {
	shown := molecule.Excerpt(printable(tz), 60)
	err := molecule.Errorf(molecule.Invalid, "time zone %q is not known", shown)
	if near := nearestZone(shown); near != "" {
		return err.WithHint("did you mean %s?", near)
	}
	return err.WithHint("use an IANA name such as Europe/Berlin, UTC, or local for the zone of this machine")
}

// nearestZone returns the zone that was probably meant: the same name in
// another case, a city without its continent, or a typing error.
func nearestZone(tz string) string {
	word := strings.ReplaceAll(tz, " ", "_")
	if first, rest, ok := strings.Cut(word, "/"); ok && (strings.EqualFold(first, "right") || strings.EqualFold(first, "posix")) {
		word = rest
	}
	city, near, best := "", "", 4
	for name := range strings.Lines(zoneNames) {
		name = strings.TrimSuffix(name, "\n")
		switch before := len(name) - len(word) - 1; {
		case strings.EqualFold(name, word):
			return name
		case city == "" && before > 0 && name[before] == '/' && strings.EqualFold(name[before+1:], word):
			city = name
		}
		if d := distance(word, name, best); d < best {
			near, best = name, d
		}
	}
	if city != "" {
		return city
	}
	return near
}

// LocalZone returns the IANA name of this machine's zone. The error is Invalid
// when the zone has no name that would mean the same elsewhere.
func LocalZone() (string, error) {
	return localZone(os.LookupEnv, "/etc")
}

// localZone asks in the order in which the C library does.
func localZone(lookup func(string) (string, bool), etc string) (string, error) {
	name, ok := lookup("TZ")
	if !ok {
		name = configuredZone(etc)
	}
	name = strings.TrimPrefix(name, ":")
	if _, within, ok := strings.Cut(name, "zoneinfo/"); ok {
		name = within
	}
	if name == "" {
		return "UTC", nil // what the C library takes for a machine that says nothing
	}
	if _, err := time.LoadLocation(name); err != nil || unnamed(name) {
		return "", molecule.Errorf(molecule.Invalid, "the time zone of this machine has no IANA name (%q)", molecule.Excerpt(printable(name), 60)).
			WithHint("name it: --tz Europe/Berlin")
	}
	return name, nil
}

// configuredZone returns where the link localtime leads, or what the file
// timezone says where localtime is a copy; "" when there is neither.
func configuredZone(etc string) string {
	localtime := filepath.Join(etc, "localtime")
	target, err := filepath.EvalSymlinks(localtime)
	if err == nil && strings.Contains(target, "zoneinfo/") {
		return target
	}
	text, readErr := os.ReadFile(filepath.Join(etc, "timezone"))
	switch {
	case readErr == nil:
		return strings.TrimSpace(string(text))
	case err == nil:
		return localtime // there is a zone, but nothing names it
	}
	return ""
}
