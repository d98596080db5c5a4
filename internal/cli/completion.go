package cli

import (
	"cmp"
	"context"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// completeWait bounds what a person with a finger on the tab key waits.
const completeWait = time.Second

// newCompletionCmd makes completion.
func newCompletionCmd(_ *app) *cobra.Command {
	shells := []string{"bash", "zsh", "fish"}
	cmd := leaf{
		use:   "completion bash|zsh|fish",
		short: "Print the completion script of a shell",
		long:  "Prints a script that completes commands, flags and the names of agents and schedules.",
		examples: "  source <(molecli completion bash)\n" +
			"  molecli completion fish > ~/.config/fish/completions/molecli.fish",
		args:     exactly("SHELL"),
		complete: cobra.FixedCompletions(shells, cobra.ShellCompDirectiveNoFileComp),
	}.command()
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		root, out := cmd.Root(), cmd.OutOrStdout()
		switch args[0] {
		case "bash":
			return root.GenBashCompletionV2(out, true)
		case "zsh":
			return root.GenZshCompletion(out)
		case "fish":
			return root.GenFishCompletion(out, true)
		}
		return molecule.Errorf(molecule.Invalid, "there is no completion for %q", args[0]).
			WithHint("use one of: %s", strings.Join(shells, ", "))
	}
	return cmd
}

// completeFlag offers values for a flag that exists.
func completeFlag(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	// The only failure is a flag that was never defined, which a test would see.
	_ = cmd.RegisterFlagCompletionFunc(flag, f)
}

// choices offers fixed values.
func choices(values ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
}

// names makes a completion from a question to the daemon; without an answer it
// offers nothing.
func (a *app) names(ask func(context.Context, *session) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
		const none = cobra.ShellCompDirectiveNoFileComp
		ctx, cancel := context.WithTimeout(cmd.Context(), completeWait)
		defer cancel()
		s, err := a.session(ctx)
		if err != nil {
			return nil, none
		}
		all, err := ask(ctx, s)
		if err != nil {
			return nil, none
		}
		return slices.DeleteFunc(all, func(n string) bool { return !strings.HasPrefix(n, prefix) }), none
	}
}

// completeAgents offers the names of agents.
func (a *app) completeAgents(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.names(func(ctx context.Context, s *session) ([]string, error) {
		page, err := s.client.Agents(ctx, molecule.AgentFilter{Limit: molecule.MaxLimit})
		return namesOf(page.Items, agentView().name), err
	})(cmd, args, prefix)
}

// completeSchedules offers the names of schedules.
func (a *app) completeSchedules(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.names(func(ctx context.Context, s *session) ([]string, error) {
		page, err := s.client.Schedules(ctx, molecule.ScheduleFilter{Limit: molecule.MaxLimit})
		return namesOf(page.Items, scheduleView().name), err
	})(cmd, args, prefix)
}

// completeCalendars offers the names of calendars.
func (a *app) completeCalendars(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.names(func(ctx context.Context, s *session) ([]string, error) {
		all, err := s.client.Calendars(ctx)
		return namesOf(all, calendarView().name), err
	})(cmd, args, prefix)
}

// completeTokens offers the ids of the tokens that are good.
func (a *app) completeTokens(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.names(func(ctx context.Context, s *session) ([]string, error) {
		all, err := s.client.Tokens(ctx)
		all = slices.DeleteFunc(all, func(t molecule.Token) bool { return !t.Live(a.now()) })
		return namesOf(all, func(t molecule.Token) string { return t.ID }), err
	})(cmd, args, prefix)
}

// completeSecrets offers the names of secrets.
func (a *app) completeSecrets(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.names(func(ctx context.Context, s *session) ([]string, error) {
		all, err := s.client.Secrets(ctx)
		return namesOf(all, secretView().name), err
	})(cmd, args, prefix)
}

// completeRuns offers the ids of the newest runs.
func (a *app) completeRuns(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.names(func(ctx context.Context, s *session) ([]string, error) {
		page, err := s.client.Runs(ctx, molecule.RunFilter{})
		return namesOf(page.Items, runView(nil).name), err
	})(cmd, args, prefix)
}

// completeIncidents offers the ids of what is open, each with its title.
func (a *app) completeIncidents(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.names(func(ctx context.Context, s *session) ([]string, error) {
		page, err := s.client.Incidents(ctx, molecule.IncidentFilter{})
		return namesOf(page.Items, func(i molecule.Incident) string { return cobra.CompletionWithDesc(i.ID, i.Title) }), err
	})(cmd, args, prefix)
}

// completeSubsystems offers the names of subsystems.
func (a *app) completeSubsystems(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.names(func(ctx context.Context, s *session) ([]string, error) {
		l, err := s.client.Liveness(ctx)
		return slices.Sorted(maps.Keys(l.Subsystems)), err
	})(cmd, args, prefix)
}

// zoneFiles is where the system keeps its time zones.
const zoneFiles = "/usr/share/zoneinfo"

// completeZones offers time zones, a continent at a time. Like the standard library
// it looks where ZONEINFO says first.
func (a *app) completeZones(_ *cobra.Command, _ []string, prefix string) (all []cobra.Completion, _ cobra.ShellCompDirective) {
	dir, part := path.Split(prefix)
	root, _ := a.env.Lookup("ZONEINFO")
	below, err := os.ReadDir(filepath.Join(cmp.Or(root, zoneFiles), dir))
	if err != nil || dir != "" && !fs.ValidPath(path.Clean(dir)) {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	what := cobra.ShellCompDirectiveNoFileComp
	for _, f := range below {
		name := f.Name()
		if !strings.HasPrefix(name, part) || name[0] < 'A' || name[0] > 'Z' {
			continue // what else is there begins with a small letter
		}
		if f.IsDir() {
			name += "/"
			what |= cobra.ShellCompDirectiveNoSpace
		}
		all = append(all, dir+name)
	}
	return all, what
}

// scheduleStates are the states that a list can be narrowed by.
func scheduleStates() []string {
	return []string{string(molecule.ScheduleActive), string(molecule.SchedulePaused), string(molecule.ScheduleError), string(molecule.ScheduleFinished)}
}

// completeSettings offers the keys of settings.
func completeSettings(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return namesOf(kept(), func(s setting) string { return s.key }), cobra.ShellCompDirectiveNoFileComp
}

// namesOf returns the name of each item.
func namesOf[T any](items []T, name func(T) string) []string {
	var out []string
	for _, item := range items {
		out = append(out, name(item))
	}
	return out
}
