package cli

import (
	"context"
	_ "embed" // for the skill

	"github.com/spf13/cobra"
)

// skillText teaches an AI agent to drive molecli. A test types its examples.
//
//go:embed skill.md
var skillText string

// Skill returns the text that molecli skill prints.
func Skill() string { return skillText }

// newSkillCmd makes skill.
func newSkillCmd(a *app) *cobra.Command {
	return leaf{
		use:   "skill",
		short: "Print what an AI agent has to know to use molecli",
		long: "Prints a SKILL.md that teaches an AI agent with a shell to drive molecli: put it where\n" +
			"your agent looks for skills.",
		examples: "  molecli skill\n  mkdir -p molecli && molecli skill > molecli/SKILL.md",
		args:     exactly(),
		run: func(context.Context, []string) error {
			writeLine(a.env.Streams.Out, skillText)
			return nil
		},
	}.command()
}
