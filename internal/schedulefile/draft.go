package schedulefile

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/textfile"
)

// draft is a schedule while its keys are read, in whatever order.
type draft struct {
	spec  molecule.ScheduleSpec
	at    string
	until string
	file  string // of the prompt
}

// keys are what a schedule may say.
func keys() []string {
	return strings.Fields("name agent cron at tz dst seconds phase prompt prompt_file timeout paused catch_up catch_up_window " +
		"catch_up_max overlap jitter jitter_mode retries resend budget exclusions max_runs until")
}

// isMade reports whether a key is one that the daemon makes.
func isMade(key string) bool {
	return slices.Contains(strings.Fields("id agent_id description state reason next_slot_at due_at last_slot_at last_outcome recent "+
		"failure_streak empty_streak fired created_at updated_at"), key)
}

// set takes the value of a key that has one value.
func (d *draft) set(key, text string) error {
	s := &d.spec
	switch key {
	case "name":
		s.Name = text
	case "agent":
		s.Agent = text
	case "cron":
		s.Cron = text
	case "at":
		d.at = text
	case "tz":
		s.TZ = text
	case "dst":
		s.DST = text
	case "seconds":
		return truth(&s.Seconds, text)
	case "phase":
		return s.Phase.UnmarshalText([]byte(text))
	case "prompt":
		s.Prompt = text
	case "prompt_file":
		d.file = text
	case "timeout":
		return s.Timeout.UnmarshalText([]byte(text))
	case "paused":
		s.Paused = new(bool)
		return truth(s.Paused, text)
	default:
		return d.setPolicy(key, text)
	}
	return nil
}

func (d *draft) setPolicy(key, text string) error {
	p := &d.spec.Policy
	switch key {
	case "catch_up":
		p.CatchUp = molecule.CatchUp(text)
	case "catch_up_window":
		return p.CatchUpWindow.UnmarshalText([]byte(text))
	case "catch_up_max":
		return whole(&p.CatchUpMax, text)
	case "overlap":
		p.Overlap = molecule.Overlap(text)
	case "jitter":
		return p.Jitter.UnmarshalText([]byte(text))
	case "jitter_mode":
		p.JitterMode = molecule.JitterMode(text)
	case "retries":
		p.Retries = new(int)
		return whole(p.Retries, text)
	case "resend":
		p.Resend = molecule.Resend(text)
	case "max_runs":
		return whole(&p.MaxRuns, text)
	case "until":
		d.until = text
	case "budget":
		return molecule.Errorf(molecule.Invalid, "a budget has bounds").WithHint("for example budget: {runs: 100, window: 24h}")
	case "exclusions":
		return molecule.Errorf(molecule.Invalid, "exclusions are a list of calendars").WithHint("for example exclusions: [%s]", text)
	default:
		return unknownKey(key, keys())
	}
	return nil
}

// setBound takes a key of the budget.
func (d *draft) setBound(key, text string) error {
	if d.spec.Budget == nil {
		d.spec.Budget = new(molecule.Budget)
	}
	b := d.spec.Budget
	switch key {
	case "runs":
		return whole(&b.Runs, text)
	case "tokens":
		tokens, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return notANumber(text)
		}
		b.Tokens = tokens
	case "cost_usd":
		cost, err := molecule.ParseCost(text)
		if err != nil {
			return notANumber(text)
		}
		b.CostUSD = cost
	case "window":
		return b.Window.UnmarshalText([]byte(text))
	default:
		return unknownKey(key, strings.Fields("runs tokens cost_usd window"))
	}
	return nil
}

func unknownKey(key string, known []string) error {
	shown := molecule.Excerpt(textfile.Printable(key), 40)
	if isMade(key) {
		return molecule.Errorf(molecule.Invalid, "%s is what the daemon makes of a schedule", shown).
			WithHint("leave it out; molecli schedule export prints what can be said")
	}
	err := molecule.Errorf(molecule.Invalid, "there is no key %q", shown)
	if near := molecule.Nearest(key, known); near != "" {
		return err.WithHint("did you mean %s?", near)
	}
	return err.WithHint("the keys are %s", strings.Join(known, ", "))
}

func truth(into *bool, text string) error {
	switch text {
	case "true", "false":
		*into = text == "true"
		return nil
	}
	return molecule.Errorf(molecule.Invalid, "%q is neither true nor false", molecule.Excerpt(textfile.Printable(text), 40)).WithHint("write true or false")
}

func whole(into *int, text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return notANumber(text)
	}
	*into = n
	return nil
}

func notANumber(text string) error {
	return molecule.Errorf(molecule.Invalid, "%q is not a number", molecule.Excerpt(textfile.Printable(text), 40)).WithHint("write digits, such as 10")
}

// finish completes the schedule with what its keys say together. It reports
// whether that is whole; fault is told of each key with which it is not, "" for
// the schedule.
func (d *draft) finish(readPrompt func(string) (string, error), fault func(key string, err error)) bool {
	s := &d.spec
	whole := true
	check := func(key string, err error) {
		if err != nil {
			whole = false
			fault(key, err)
		}
	}
	d.missing(check)
	if strings.EqualFold(s.TZ, "local") { // of this machine, and not the daemon's
		zone, err := cron.LocalZone()
		check("tz", err)
		s.TZ = zone
	}
	if d.at != "" {
		at, err := absolute(d.at, s.TZ)
		check("at", err)
		s.Cron = "@at " + at.Format(time.RFC3339)
	}
	if d.until != "" {
		until, err := Until(d.until, s.TZ)
		check("until", err)
		s.Until = until
	}
	if d.file != "" {
		text, err := readPrompt(d.file)
		check("prompt_file", err)
		s.Prompt = text
	}
	return whole
}

// missing tells what a schedule lacks, or says twice.
func (d *draft) missing(fault func(key string, err error)) {
	s := &d.spec
	invalid := func(key, hint, what string) {
		name := s.Name
		if name == "" {
			name = "the schedule"
		}
		fault(key, molecule.Errorf(molecule.Invalid, "%s %s", name, what).WithHint("%s", hint))
	}
	if s.Name == "" {
		invalid("", "add name: NAME", "has no name")
	}
	if s.Agent == "" {
		invalid("", "add agent: AGENT, who receives the prompt", "has no agent")
	}
	if s.Cron == "" && d.at == "" {
		invalid("", `add cron: "0 8 * * *", or at: "2026-12-01T08:00"`, "does not say when")
	}
	if s.Cron != "" && d.at != "" {
		invalid("at", "leave one of them out", "has both cron and at")
	}
	if s.Prompt == "" && d.file == "" {
		invalid("", "add prompt: TEXT, or prompt_file: PATH", "has no prompt")
	}
	if s.Prompt != "" && d.file != "" {
		invalid("prompt_file", "leave one of them out", "has both prompt and prompt_file")
	}
}

// absolute reads an instant that is the same whenever the file is read.
func absolute(text, tz string) (time.Time, error) {
	at, err := cron.ParseAt(text, tz, time.Time{})
	if err == nil && (text[0] < '0' || text[0] > '9') {
		err = molecule.Errorf(molecule.Invalid, "%q would be another instant each time the file is read", molecule.Excerpt(textfile.Printable(text), 40)).
			WithHint("write it as 2026-12-01T08:00 on the clock of tz, or as 2026-12-01T08:00:00Z")
	}
	return at, err
}

// Until reads where the slots of a schedule end, on the clock of the zone tz; a
// date alone is all of that day.
func Until(text, tz string) (time.Time, error) {
	if _, err := time.Parse(time.DateOnly, text); err == nil {
		text += "T23:59:59"
	}
	until, err := cron.ParseAt(text, tz, time.Time{})
	if err != nil || text[0] < '0' || text[0] > '9' {
		return until, molecule.Errorf(molecule.Invalid, "%q is no time", molecule.Excerpt(textfile.Printable(text), 40)).
			WithHint("write it as 2026-12-31 or 2026-12-31T18:00 in the zone of the schedule, or as RFC 3339")
	}
	return until, nil
}
