package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSecurity_namesTestsThatExist keeps SECURITY.md honest: a promise whose
// test is gone is none.
func TestSecurity_namesTestsThatExist(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+`).FindAllString(string(text), -1)
	if len(named) < 30 {
		t.Fatalf("SECURITY.md names only %d tests", len(named))
	}
	have := make(map[string]bool)
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err = filepath.WalkDir(filepath.Join(root, "internal"), func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(source), -1) {
			have[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range named {
		if !have[name] {
			t.Errorf("SECURITY.md promises by %s, and there is no such test", name)
		}
	}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, "|"); strings.Count(line, "|") == 3 && !strings.Contains(line, "---") && !strings.Contains(line, "held by") &&
			!strings.Contains(cells[2], "Test") && !strings.Contains(cells[2], "Fuzz") {
			t.Errorf("a promise is held by no test: %s", strings.TrimSpace(line))
		}
	}
}
