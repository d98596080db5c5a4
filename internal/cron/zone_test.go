package cron

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// machine is what a machine says about its zone.
type machine struct {
	tz        string
	tzSet     bool
	localtime string // target of the link; "copy" for a plain file
	timezone  string
}

// ask runs localZone on a machine made of files.
func (m machine) ask(t *testing.T) (string, error) {
	t.Helper()
	etc := t.TempDir()
	switch m.localtime {
	case "":
	case "copy":
		write(t, filepath.Join(etc, "localtime"), "TZif")
	default:
		target := filepath.Join(etc, m.localtime)
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, target, "TZif")
		if err := os.Symlink(target, filepath.Join(etc, "localtime")); err != nil {
			t.Fatal(err)
		}
	}
	if m.timezone != "" {
		write(t, filepath.Join(etc, "timezone"), m.timezone)
	}
	return localZone(func(string) (string, bool) { return m.tz, m.tzSet }, etc)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLocalZone_findsTheName(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		m    machine
		want string
	}{
		{name: "variable", m: machine{tzSet: true, tz: "Europe/Berlin", localtime: "zoneinfo/Asia/Tokyo"}, want: "Europe/Berlin"},
		{name: "variable with colon", m: machine{tzSet: true, tz: ":Europe/Berlin"}, want: "Europe/Berlin"},
		{name: "variable with path", m: machine{tzSet: true, tz: "/usr/share/zoneinfo/Europe/Berlin"}, want: "Europe/Berlin"},
		{name: "empty variable", m: machine{tzSet: true, localtime: "zoneinfo/Asia/Tokyo"}, want: "UTC"},
		{name: "link", m: machine{localtime: "zoneinfo/Asia/Tokyo", timezone: "Europe/Berlin\n"}, want: "Asia/Tokyo"},
		{name: "copy with a name beside it", m: machine{localtime: "copy", timezone: "Europe/Berlin\n"}, want: "Europe/Berlin"},
		{name: "a machine that says nothing", want: "UTC"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.m.ask(t)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("zone %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLocalZone_refusesWhatMeansNothingElsewhere(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		m    machine
	}{
		{name: "rule instead of a name", m: machine{tzSet: true, tz: "CET-1CEST,M3.5.0,M10.5.0/3"}},
		{name: "leap seconds", m: machine{localtime: "zoneinfo/right/Europe/Berlin"}},
		{name: "copy without a name", m: machine{localtime: "copy"}},
		{name: "unknown name", m: machine{timezone: "Middle-earth/Mordor\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.m.ask(t)
			if molecule.CodeOf(err) != molecule.Invalid || molecule.HintOf(err) == "" {
				t.Errorf("got %q and error %v, want Invalid with a hint", got, err)
			}
		})
	}
}

func TestLoadZone_knowsEveryNameItSuggests(t *testing.T) {
	t.Parallel()
	names := strings.Fields(zoneNames)
	if len(names) < 500 {
		t.Fatalf("%d names, want the whole list", len(names))
	}
	for _, name := range names {
		if _, _, err := loadZone(name); err != nil {
			t.Error(err)
		}
	}
}

func TestParse_storesTheNameOfTheZone(t *testing.T) {
	t.Parallel()
	local, err := LocalZone()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ tz, want string }{
		{tz: "", want: "UTC"},
		{tz: "utc", want: "UTC"},
		{tz: "Asia/Tokyo", want: "Asia/Tokyo"},
		{tz: "local", want: local},
		{tz: "Local", want: local},
	}
	for _, tt := range tests {
		t.Run(tt.tz, func(t *testing.T) {
			t.Parallel()
			s, err := Parse("@daily", Options{TZ: tt.tz})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s.TZ(), tt.want); diff != "" {
				t.Errorf("zone (-got +want):\n%s", diff)
			}
			if s.Location() == time.Local {
				t.Error("the location is the one of the process, which can change")
			}
		})
	}
}

func TestAdvanced_refusesATimeThatDoesNotLieAhead(t *testing.T) {
	t.Parallel()
	ref := time.Date(2026, 9, 6, 4, 0, 0, 1, time.UTC)
	tests := []struct {
		name string
		next time.Time
		ok   bool
	}{
		{name: "a nanosecond later", next: ref.Add(1), ok: true},
		{name: "the same", next: ref},
		{name: "the same elsewhere", next: ref.In(time.FixedZone("", 3600))},
		{name: "earlier", next: ref.Add(-1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := advanced(ref, tt.next)
			if ok := err == nil && got.Equal(tt.next); ok != tt.ok {
				t.Errorf("got %v and %v, want success %v", got, err, tt.ok)
			}
		})
	}
}

func TestNearest_countsTypingErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		word  string
		limit int
		want  string
	}{
		{word: "FRI", limit: 1, want: "FRI"},
		{word: "FRY", limit: 1, want: "FRI"},
		{word: "RFI", limit: 1, want: "FRI"},
		{word: "FI", limit: 1, want: "FRI"},
		{word: "THUR", limit: 1, want: "THU"},
		{word: "FXY", limit: 1, want: ""},
		{word: "FXY", limit: 2, want: "FRI"},
		{word: "", limit: 2, want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.word, func(t *testing.T) {
			t.Parallel()
			if got := nearest(tt.word, []string{"MON", "THU", "FRI"}, tt.limit); got != tt.want {
				t.Errorf("nearest %q, want %q", got, tt.want)
			}
		})
	}
}
