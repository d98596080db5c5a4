package term

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func noEnv(string) (string, bool) { return "", false }

// noon is the time the tests look from.
func noon() time.Time { return time.Date(2026, 4, 14, 12, 0, 0, 0, time.UTC) }

func sample() Table {
	return Table{
		Columns: []Column{{Title: "NAME"}, {Title: "AGENT", Drop: 3}, {Title: "NEXT", Drop: 1}, {Title: "STATE"}, {Title: "NOTE", Drop: 2, Min: 8}},
		Rows: [][]Cell{
			{Text("hello"), Text("echo"), When(noon().Add(3 * time.Minute)), Toned(Good, "active"), Text("a rather long note that nobody reads")},
			{Text("報告"), Text("helper"), When(noon().Add(-2 * time.Hour)), Toned(Bad, "error"), Text("tab\there\x1b[31m")},
		},
	}
}

func TestTable_fitsTheWidthByPriority(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		width int
		want  string
	}{
		{"no limit", 0, "" +
			"NAME   AGENT   NEXT    STATE     NOTE\n" +
			"hello  echo    in 3m   ✓ active  a rather long note that nobody reads\n" +
			"報告   helper  2h ago  ✗ error   tab here[31m\n"},
		{"a column with a Min is cut before any goes", 60, "" +
			"NAME   AGENT   NEXT    STATE     NOTE\n" +
			"hello  echo    in 3m   ✓ active  a rather long note that no…\n" +
			"報告   helper  2h ago  ✗ error   tab here[31m\n"},
		{"the highest Drop goes first", 40, "" +
			"NAME   NEXT    STATE     NOTE\n" +
			"hello  in 3m   ✓ active  a rather long …\n" +
			"報告   2h ago  ✗ error   tab here[31m\n"},
		{"too narrow for a line", 39, "" +
			"NAME   hello\nAGENT  echo\nNEXT   in 3m\nSTATE  ✓ active\nNOTE   a rather long note that nobody reads\n" +
			"\n" +
			"NAME   報告\nAGENT  helper\nNEXT   2h ago\nSTATE  ✗ error\nNOTE   tab here[31m\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			err := sample().Write(&b, Layout{Width: tt.width, Times: Times{Style: TimeRelative, Now: noon()}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(b.String(), tt.want); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
}

func TestTable_neverPassesTheWidth(t *testing.T) {
	t.Parallel()
	for width := recordsBelow; width <= 130; width++ {
		var b strings.Builder
		if err := sample().Write(&b, Layout{Width: width, Times: Times{Style: TimeRelative, Now: noon()}}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if got := len([]rune(strings.TrimSuffix(line, "\n"))); got > width {
				t.Errorf("width %d: a line takes %d columns: %q", width, got, line)
			}
		}
	}
}

func TestTable_cutsWhatMustStayOnlyWhenNothingElseHelps(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 80)
	table := Table{Columns: []Column{{Title: "A"}, {Title: "B"}}, Rows: [][]Cell{{Text(long), Text("short")}}}
	var b strings.Builder
	if err := table.Write(&b, Layout{Width: 40}); err != nil {
		t.Fatal(err)
	}
	want := "A" + strings.Repeat(" ", 34) + "B\n" + strings.Repeat("x", 32) + "…  short\n"
	if diff := cmp.Diff(b.String(), want); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
}

func TestTable_isPlainInAPipe(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	l := Layout{Pipe: true, Width: 10, Times: Times{Style: TimeISO}}
	if err := sample().Write(&b, l); err != nil {
		t.Fatal(err)
	}
	want := "hello\techo\t2026-04-14T12:03:00Z\tactive\ta rather long note that nobody reads\n" +
		"報告\thelper\t2026-04-14T10:00:00Z\terror\ttab here[31m\n"
	if diff := cmp.Diff(b.String(), want); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
}

func TestTable_takesAShortRow(t *testing.T) {
	t.Parallel()
	table := Table{Columns: []Column{{Title: "A"}, {Title: "B"}}, Rows: [][]Cell{{Text("1")}}}
	var b strings.Builder
	if err := table.Write(&b, Layout{Pipe: true}); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "1\t\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRecord_leavesBlanksOutOnATerminalOnly(t *testing.T) {
	t.Parallel()
	r := Record{{"name", Text("hello")}, {"reason", Text("")}, {"last", Cell{At: noon().Add(-time.Minute), Text: "ok", Tone: Good}}}
	tests := []struct {
		name string
		l    Layout
		want string
	}{
		{"terminal", Layout{Times: Times{Style: TimeRelative, Now: noon()}}, "name  hello\nlast  1m ago ✓ ok\n"},
		{"pipe", Layout{Pipe: true}, "name\thello\nreason\t\nlast\t2026-04-14T11:59:00Z ok\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			if err := r.Write(&b, tt.l); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(b.String(), tt.want); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
}
