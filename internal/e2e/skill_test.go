package e2e_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/molecule-ai/molecli/internal/cli"
)

// commandBlock is a block of lines that a document has for a shell.
var commandBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// TestSkill_everyLineOfItsExamplesRuns types what the skill teaches, in its
// order, in front of a daemon that has nothing yet.
func TestSkill_everyLineOfItsExamplesRuns(t *testing.T) {
	t.Parallel()
	s := newStage(t, nothing)
	typed := 0
	for _, block := range commandBlock.FindAllStringSubmatch(cli.Skill(), -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSpace(line)
			out, err := s.shell(line).CombinedOutput()
			if err != nil {
				t.Errorf("%s: %v\n%s", line, err, out)
			}
			typed++
		}
	}
	if typed < 20 {
		t.Errorf("typed only %d lines", typed)
	}
}

func TestSkill_beginsWithANameAndADescription(t *testing.T) {
	t.Parallel()
	head, _, ok := strings.Cut(strings.TrimPrefix(cli.Skill(), "---\n"), "\n---\n")
	if !ok || !regexp.MustCompile(`^name: molecli\ndescription: .{80,900}$`).MatchString(head) {
		t.Errorf("the skill begins with %q", head)
	}
}
