package schedulefile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/textfile"
)

// crontab is a crontab as far as it is read. What a line of it says holds for
// the lines below.
type crontab struct {
	*File
	line    int
	usual   string // the zone where no line names one
	tz      string // that a line names
	badTZ   int    // the line of a CRON_TZ that is not known, until the next one
	agent   string // who receives the prompts
	comment string // directly above, if it may be a name
	names   map[string]bool
}

// readCrontab reads a crontab of a user, one without names of users in it.
func readCrontab(f *File, o Options) error {
	zone, err := cron.Parse("* * * * *", cron.Options{TZ: o.TZ})
	if err != nil {
		return err
	}
	c := &crontab{File: f, usual: zone.TZ(), agent: o.Agent, names: make(map[string]bool)}
	for text := range strings.Lines(f.text) {
		c.line++
		text = strings.TrimRight(text, "\r\n")
		switch body := strings.TrimLeft(text, blanks); {
		case body == "":
			c.comment = ""
		case body[0] == '#':
			c.readComment(strings.TrimSpace(strings.TrimLeft(body, "#")))
		case isVariable(body):
			c.readVariable(text)
			c.comment = ""
		case c.badTZ > 0:
			c.refuse(textfile.Place{Line: c.line}, "mend that line first", fmt.Sprintf("its time zone is that of line %d, which is not known", c.badTZ))
		default:
			c.Unzoned = c.Unzoned || c.tz == ""
			c.readEntry(text, body, cmp.Or(c.tz, c.usual))
			c.comment = ""
		}
	}
	if i := slices.IndexFunc(f.Entries, func(e Entry) bool { return e.Spec.Agent == "" }); i >= 0 {
		return molecule.Errorf(molecule.Invalid, "who receives the prompts? %s:%d names no agent", f.name, f.Entries[i].Line).
			WithHint("say --agent AGENT, or write above it: # agent: AGENT")
	}
	return nil
}

// readComment keeps a comment that may name the entry below it, and takes who
// receives the prompts from one that says so.
func (c *crontab) readComment(text string) {
	if agent, ok := strings.CutPrefix(text, "agent:"); ok && !strings.ContainsAny(strings.TrimSpace(agent), blanks) {
		c.agent = strings.TrimSpace(agent)
		return
	}
	switch {
	case isEntry(text), strings.HasPrefix(strings.Join(strings.Fields(text), " "), "m h dom mon dow"):
		c.comment = "" // an entry that was switched off, and the usual head of the columns, name nothing
	case slug(text) != "":
		c.comment = text
	}
}

// isEntry reports whether a line could be an entry.
func isEntry(line string) bool {
	expr, command := cutExpression(line)
	if command == "" {
		return false
	}
	_, err := cron.Parse(expr, cron.Options{})
	return err == nil
}

// cutExpression cuts what says when off the command behind it.
func cutExpression(line string) (expr, command string) {
	word, rest := cutWord(line)
	expr = word
	more := 4
	switch {
	case word == "@every", word == "@at":
		more = 1
	case strings.HasPrefix(word, "@"):
		more = 0
	}
	for range more {
		word, rest = cutWord(rest)
		if word == "" {
			break
		}
		expr += " " + word
	}
	return expr, rest
}

// isVariable reports whether a line sets a variable.
func isVariable(line string) bool {
	name, _, ok := strings.Cut(line, "=")
	name = strings.TrimRight(name, blanks)
	return ok && name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == "" &&
		strings.Trim(name[:1], "0123456789") != ""
}

// readVariable reads a line that sets a variable. CRON_TZ has effect on the
// lines below it; of the others is told that they have none.
func (c *crontab) readVariable(text string) {
	name, value, _ := strings.Cut(text, "=")
	name, value = strings.Trim(name, blanks), strings.Trim(value, blanks)
	if n := len(value); n >= 2 && strings.ContainsRune(`"'`, rune(value[0])) && value[n-1] == value[0] {
		value = value[1 : n-1]
	}
	zone, entry := cutWord(value)
	switch {
	case name != "CRON_TZ" && (name != "TZ" || entry == ""):
		c.Ignored = append(c.Ignored, Fault{Place: textfile.Place{Line: c.line}, Message: name + " has no effect here: " + whyIgnored(name)})
	case entry == "": // of the lines below
		c.tz, c.badTZ = "", 0
		if !c.readZone(text, zone, &c.tz) {
			c.badTZ = c.line
		}
	default: // of this line alone
		if tz := c.usual; c.readZone(text, zone, &tz) {
			c.readEntry(text, entry, tz)
		}
	}
}

// whyIgnored says what stands in the place of a variable.
func whyIgnored(name string) string {
	switch name {
	case "TZ":
		return "in a crontab it is of the command and not of when it runs, which CRON_TZ is"
	case "MAILTO", "MAILFROM":
		return "nobody is mailed, molecli run list shows what was said"
	case "RANDOM_DELAY":
		return "molecli schedule update NAME --jitter DURATION delays a schedule"
	case "START_HOURS_RANGE":
		return "a slot fires when it is due"
	}
	return "a prompt has no environment, that of a command is said by molecli agent add"
}

// readZone reads the zone that a line names, if any, into tz; false when it is
// not known.
func (c *crontab) readZone(text, zone string, tz *string) bool {
	if zone == "" {
		return true
	}
	read, err := cron.Parse("* * * * *", cron.Options{TZ: zone})
	if err != nil {
		c.fault(c.placeOf(text, zone), molecule.HintOf(err), err.Error())
		return false
	}
	*tz = read.TZ()
	return true
}

// refuse tells of an entry that cannot be read.
func (c *crontab) refuse(p textfile.Place, hint, message string) {
	c.Faulty++
	c.fault(p, hint, message)
}

// placeOf returns where a part of the line is.
func (c *crontab) placeOf(text, part string) textfile.Place {
	at := max(strings.Index(text, part), 0)
	return textfile.Place{Line: c.line, Column: runes(text[:at]) + 1, Width: runes(part)}
}

// readEntry reads the entry that body is, a part of the line, in a zone.
func (c *crontab) readEntry(text, body, tz string) {
	expr, command := cutExpression(body)
	switch n := len(strings.Fields(expr)); {
	case strings.EqualFold(expr, "@reboot"):
		c.refuse(c.placeOf(text, expr), "take the line out, and start what it starts where the agent is started",
			"@reboot is not supported: a start of the machine is no slot, and whether it was missed nobody could say")
		return
	case command == "" && expr[0] != '@' && n < 5:
		c.refuse(c.placeOf(text, body), "write minute hour day month weekday, and behind them the prompt",
			fmt.Sprintf("it has %d of 5 fields and no prompt", n))
		return
	case command == "":
		c.refuse(textfile.Place{Line: c.line, Column: runes(text) + 1, Width: 1}, "write what the agent is told behind "+expr, "it has no prompt")
		return
	}
	prompt := expandPercent(command)
	c.Entries = append(c.Entries, Entry{Line: c.line, Spec: molecule.ScheduleSpec{
		Name: c.nameOf(prompt), Agent: c.agent, Cron: expr, TZ: tz, Prompt: prompt,
	}})
}

// expandPercent returns the prompt that a command of a crontab is: a percent
// sign is a line break, as it is in what cron gives to a command, and with a
// backslash before it is a percent sign.
func expandPercent(command string) string {
	if !strings.Contains(command, "%") {
		return command
	}
	var b strings.Builder
	escaped := false
	for _, r := range command {
		switch {
		case r == '%' && escaped:
			r = '%'
		case escaped:
			b.WriteByte('\\')
		case r == '%':
			r = '\n'
		}
		if escaped = r == '\\' && !escaped; !escaped {
			b.WriteRune(r)
		}
	}
	if escaped {
		b.WriteByte('\\')
	}
	return b.String()
}
