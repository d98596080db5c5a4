package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/molecule-ai/molecli/internal/wire"
)

func TestMan_writesAPageForEveryCommand(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "man")
	if got := newHand(t, nil).run("man", dir); got.status != 0 || got.out != "" {
		t.Fatalf("got %+v", got)
	}
	var want []string
	for _, cmd := range manualPages(tree()) {
		name := manualName(cmd) + ".1"
		want = append(want, name)
		page := read(t, filepath.Join(dir, name))
		if !strings.HasPrefix(page, ".TH ") {
			t.Errorf("%s begins with %.20q", name, page)
		}
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if line := roff("--" + f.Name); !f.Hidden && !strings.Contains(page, line) {
				t.Errorf("%s does not have %s", name, line)
			}
		})
		for _, part := range []string{cmd.Short, cmd.Long, cmd.Example} {
			if !strings.Contains(page, roff(part)) {
				t.Errorf("%s does not say %q", name, part)
			}
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(want)
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("pages, want:\n%s", diff)
	}
}

func TestMan_textIsNeverARequest(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		".so /etc/passwd": `\&.so /etc/passwd`, "'tis": `\&'tis`, `a\b`: `a\eb`, "--flag": `\-\-flag`, "one\n.two": "one\n\\&.two", "✓ ok": `\[u2713] ok`,
	}
	for in, want := range tests {
		if got := roff(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	known := []string{".TH", ".SH", ".B", ".BR", ".TP", ".nf", ".fi"}
	for _, cmd := range manualPages(tree()) {
		for line := range strings.Lines(manualPage(cmd)) {
			if word, _, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(line, ".") && !slices.Contains(known, word) {
				t.Errorf("%s: %q is a request", manualName(cmd), line)
			}
		}
	}
}

func TestMan_saysWhenItCannotWrite(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := newHand(t, nil).run("man", file); got.status != wire.ExitUsage || !strings.Contains(got.err, "cannot be written") {
		t.Errorf("got %+v", got)
	}
}
