package textfile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/textfile"
)

func TestPoint_standsUnderWhatItIsAbout(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	tests := []struct {
		name, line string
		at         textfile.Place
		want       string
	}{
		{"a word", "a: bad", textfile.Place{Line: 1, Column: 4, Width: 3}, "a: bad\n   ^~~"},
		{"a tab and an escape", "\t\x1bbad", textfile.Place{Line: 1, Column: 3, Width: 3}, " ?bad\n  ^~~"},
		{"wider than the line", "ab", textfile.Place{Line: 1, Column: 2, Width: 9}, "ab\n ^"},
		{"behind the line", "ab", textfile.Place{Line: 1, Column: 3, Width: 1}, "ab\n  ^"},
		{"in the middle of a long one", long, textfile.Place{Line: 1, Column: 150, Width: 2}, long[:100] + "\n" + strings.Repeat(" ", 50) + "^~"},
		{"an empty one", "", textfile.Place{Line: 1, Column: 1}, "\n^"},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, textfile.Point(tt.line, tt.at)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestParse_saysWhereItIsNoYAML(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		line       int
		why        string
	}{
		{"a bracket that stays open", "a: 1\nb: [1, 2", 2, ""},
		{"brackets too deep", "a: 1\nb: " + strings.Repeat("[", 9), 2, "more than 8 deep"},
		{"dashes too deep", strings.Repeat("- ", 9) + "x", 1, "more than 8 deep"},
		{"a hundred thousand brackets", strings.Repeat("[", 100_000), 1, "more than 8 deep"},
	}
	for _, tt := range tests {
		_, err := textfile.Parse(tt.text, 8)
		e, ok := errors.AsType[*textfile.NotYAML](err)
		if !ok || e.Line != tt.line || !strings.Contains(e.Why, tt.why) {
			t.Errorf("%s: got %+v, want line %d and %q", tt.name, err, tt.line, tt.why)
		}
	}
	if f, err := textfile.Parse("a: [[1]]\n---\nb: 2\n", 8); err != nil || len(f.Docs) != 2 {
		t.Errorf("two documents: got %v, %v", f, err)
	}
}
