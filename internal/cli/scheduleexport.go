package cli

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/schedulefile"
	"github.com/molecule-ai/molecli/internal/wire"
)

// scheduleExport is an export as it was typed.
type scheduleExport struct {
	names  []string // or patterns
	agent  string
	state  string
	format string
}

// newScheduleExportCmd makes schedule export.
func newScheduleExportCmd(a *app) *cobra.Command {
	var o scheduleExport
	narrow := fields{"agent": &o.agent, "state": &o.state}
	cmd := a.asks(leaf{
		use:   "export [NAME…]",
		short: "Print schedules as the file that import reads",
		long: "Prints schedules in one form: sorted by name, the keys in one order, without what is\n" +
			"the default. Importing it again with --update changes nothing. NAME may be a pattern\n" +
			"such as 'backup-*'. Schedules that are finished are left out unless they are named\n" +
			"or asked for by --state. What a crontab cannot say is left out and named, and so is\n" +
			"a schedule whose row is damaged; the exit status is 8 then.",
		examples: "  molecli schedule export > schedules.yaml\n" +
			"  molecli schedule export 'hel*' --agent echo --format crontab",
		args: cobra.ArbitraryArgs, complete: a.completeSchedules,
	}, func(ctx context.Context, s *session, args []string) error {
		if err := narrow.read(s.config.Filter); err != nil {
			return err
		}
		o.names = args
		return o.run(ctx, s)
	})
	narrow.flags(cmd)
	completeFlag(cmd, "state", choices(scheduleStates()...))
	cmd.Flags().StringVar(&o.format, "format", string(schedulefile.YAML), "yaml or crontab")
	completeFlag(cmd, "agent", a.completeAgents)
	completeFlag(cmd, "format", cobra.FixedCompletions([]string{string(schedulefile.YAML), string(schedulefile.Crontab)}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// run prints what was asked for, and names what is left out.
func (o scheduleExport) run(ctx context.Context, s *session) error {
	crontab := o.format == string(schedulefile.Crontab)
	switch {
	case !crontab && o.format != string(schedulefile.YAML):
		return molecule.Errorf(molecule.Invalid, "there is no format %q", o.format).WithHint("use one of: yaml, crontab; JSON is -o json")
	case crontab && s.structured():
		return molecule.Errorf(molecule.Invalid, "--format crontab and -o %s are two faces", s.config.Output).WithHint("leave one of them out")
	}
	found, err := o.find(ctx, s)
	if err != nil {
		return err
	}
	specs, left := sayable(found)
	if crontab && s.config.Output != outName {
		var more []schedulefile.Left
		var text bytes.Buffer
		if more, err = schedulefile.WriteCrontab(&text, specs); err == nil {
			left, err = append(left, more...), s.text(text.String())
		}
	} else {
		err = s.export(specs)
	}
	if err != nil {
		return err
	}
	for _, l := range left {
		writeLine(s.Err, fmt.Sprintf("schedule %s is left out: %s", l.Name, l.Why))
	}
	if len(left) > 0 {
		return judged(wire.ExitPartial)
	}
	return nil
}

// sayable returns what the schedules say, and those whose rows say nothing that
// could be read again.
func sayable(found []molecule.Schedule) (specs []molecule.ScheduleSpec, left []schedulefile.Left) {
	specs = make([]molecule.ScheduleSpec, 0, len(found))
	for i := range found {
		sched := &found[i]
		if sched.State == molecule.ScheduleError {
			err := sched.Validate()
			if err == nil {
				_, err = cron.Parse(sched.Cron, cron.Options{TZ: sched.TZ, DST: cron.DST(sched.DST), Seconds: sched.Seconds})
			}
			if err != nil {
				left = append(left, schedulefile.Left{Name: sched.Name, Why: "its row is damaged: " + sched.Reason})
				continue
			}
		}
		specs = append(specs, sched.Spec())
	}
	return specs, left
}

// export writes schedules in the face that is asked for.
func (s *session) export(specs []molecule.ScheduleSpec) error {
	switch s.config.Output {
	case outJSON:
		return s.encode(molecule.ScheduleDocument{Schedules: specs})
	case outJSONL, outName:
		v := view[molecule.ScheduleSpec]{name: func(spec molecule.ScheduleSpec) string { return spec.Name }}
		return v.list(s.printer, specs)
	}
	return schedulefile.WriteYAML(s.Out, specs)
}

// find reads the schedules that are asked for, by name.
func (o scheduleExport) find(ctx context.Context, s *session) ([]molecule.Schedule, error) {
	if len(o.names) > 0 && !slices.ContainsFunc(o.names, isPattern) {
		return o.named(ctx, s)
	}
	all, err := o.list(ctx, s)
	if err != nil {
		return nil, err
	}
	finished := 0
	kept := all[:0]
	for _, sched := range all {
		switch asked, err := o.asked(sched.Name); {
		case err != nil:
			return nil, err
		case !asked:
		case o.state == "" && sched.State == molecule.ScheduleFinished && !slices.Contains(o.names, sched.Name):
			finished++
		default:
			kept = append(kept, sched)
		}
	}
	if finished > 0 {
		s.note("finished schedules that are left out: %d; see --state finished", finished)
	}
	if len(o.names) > 0 && len(kept)+finished == 0 {
		return nil, molecule.Errorf(molecule.NotFound, "no schedule is named %s", strings.Join(o.names, " or ")).WithHint("molecli schedule list -o name")
	}
	return kept, nil
}

func isPattern(name string) bool { return strings.ContainsAny(name, `*?[\`) }

// asked reports whether a name is one of those asked for.
func (o scheduleExport) asked(name string) (bool, error) {
	for _, pattern := range o.names {
		ok, err := path.Match(pattern, name)
		if err != nil {
			return false, molecule.Errorf(molecule.Invalid, "%q is no pattern", pattern).WithHint("* is any text, ? any character, [a-z] one of these")
		}
		if ok {
			return true, nil
		}
	}
	return len(o.names) == 0, nil
}

// named reads schedules one by one.
func (o scheduleExport) named(ctx context.Context, s *session) ([]molecule.Schedule, error) {
	byName := make(map[string]molecule.Schedule)
	for _, ref := range o.names {
		sched, err := s.client.Schedule(ctx, ref)
		if err != nil {
			return nil, err
		}
		byName[sched.Name] = sched
	}
	var list []molecule.Schedule
	for _, sched := range byName {
		if (o.agent == "" || sched.Agent == o.agent) && (o.state == "" || string(sched.State) == o.state) {
			list = append(list, sched)
		}
	}
	slices.SortFunc(list, func(a, b molecule.Schedule) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// list reads every schedule of an agent and a state, in pages that become
// smaller when their prompts are too long for an answer.
func (o scheduleExport) list(ctx context.Context, s *session) ([]molecule.Schedule, error) {
	size := molecule.MaxLimit
	all, _, err := collect(ctx, 0, func(ctx context.Context, _ int, cursor string) (molecule.Page[molecule.Schedule], error) {
		for {
			page, err := s.client.Schedules(ctx, molecule.ScheduleFilter{
				Agent: o.agent, State: molecule.ScheduleState(o.state), Limit: size, Cursor: cursor,
			})
			if molecule.CodeOf(err) != molecule.TooLarge || size == 1 {
				return page, err
			}
			size = max(size/10, 1)
		}
	})
	return all, err
}
