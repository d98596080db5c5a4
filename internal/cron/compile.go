package cron

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// maxBytes bounds an expression: every minute and every second written out take
// 334.
const maxBytes = 512

// syntaxHint is the hint of every error that knows no better one.
const syntaxHint = "five fields: minute 0-59, hour 0-23, day 1-31, month 1-12 or JAN-DEC, weekday 0-7 or SUN-SAT; " +
	"each *, a list 1,15, a range 9-17 or a step */10"

// tagNames are the names that stand for an expression.
const tagNames = "@10minutes @15minutes @30minutes @5minutes @always @annually @daily @everysecond @hourly @midnight @monthly @weekly @yearly"

// tag returns the expression a name stands for.
func tag(name string) (expr string, ok bool) {
	switch name {
	case "@hourly":
		return "0 * * * *", true
	case "@daily", "@midnight":
		return "0 0 * * *", true
	case "@weekly":
		return "0 0 * * 0", true
	case "@monthly":
		return "0 0 1 * *", true
	case "@yearly", "@annually":
		return "0 0 1 1 *", true
	case "@always":
		return "* * * * *", true
	case "@5minutes", "@10minutes", "@15minutes":
		return "*/" + strings.Trim(name, "@minutes") + " * * * *", true
	case "@30minutes":
		return "0,30 * * * *", true
	case "@everysecond":
		return "* * * * * *", true
	}
	return "", false
}

// cutZone returns the expression without the zone in front of it, and that
// zone, "" for none.
func cutZone(expr string) (rest, zone string, err error) {
	expr = strings.TrimSpace(expr)
	if len(expr) > maxBytes {
		return "", "", invalid("it is %d bytes long, the most is %d", len(expr), maxBytes)
	}
	first, rest := cutWord(expr)
	name, value, _ := strings.Cut(first, "=")
	if name != "CRON_TZ" && name != "TZ" {
		return expr, "", nil
	}
	if value == "" {
		return "", "", invalid("%s= names no time zone", name).WithHint("write it as %s=Europe/Berlin 0 8 * * *", name)
	}
	return rest, value, nil
}

// compile reads expr, which names its zone no more, into a spec and its
// canonical form. zone is only for what is shown.
func compile(expr, zone string, o Options) (*spec, string, error) {
	if strings.HasPrefix(expr, "@") {
		name, rest := cutWord(expr)
		switch strings.ToLower(name) {
		case "@every":
			return compileEvery(name, rest, o.Phase)
		case "@at":
			return compileAt(name, rest)
		}
		written, err := writeOut(expr)
		if err != nil {
			return nil, "", err
		}
		expr = written
	}
	fields, err := split(expr, zone, o)
	if err != nil {
		return nil, "", err
	}
	sets := defaults()
	canonical := make([]string, len(fields))
	for i, f := range fields {
		if sets[f.kind], canonical[i], err = f.parse(); err != nil {
			return nil, "", err
		}
	}
	sp := newSpec(sets)
	if !sp.fires() {
		return nil, "", never(sp, fields)
	}
	return sp, strings.Join(canonical, " "), nil
}

// defaults are the sets of fields that were not written.
func defaults() [fieldCount]set {
	var sets [fieldCount]set
	sets[second].add(0)
	return sets
}

// split cuts expr into its fields.
func split(expr, zone string, o Options) ([]field, error) {
	words := strings.Fields(expr)
	if len(words) > 0 && strings.Contains(words[0], "TZ=") {
		return nil, invalid("%q is not part of an expression", printable(words[0])).
			WithHint("CRON_TZ=Europe/Berlin stands in front of it, once; or beside it: --tz Europe/Berlin")
	}
	kind, err := firstField(words, zone, o)
	if err != nil {
		return nil, err
	}
	line := printable(strings.Join(words, " "))
	fields := make([]field, len(words))
	at := 0
	for i, w := range words {
		w = printable(w)
		fields[i] = field{bounds: &allBounds[kind+i], kind: kind + i, number: i + 1, text: w, line: line, at: at}
		at += len(w) + 1
	}
	return fields, nil
}

// firstField says whether seconds or minutes come first. What has a number of
// fields that cannot be right is refused with the likely reason.
func firstField(words []string, zone string, o Options) (int, error) {
	switch n := len(words); {
	case n == 5, n == 6 && isYears(words[5]):
		return minute, nil
	case o.Seconds && (n == 6 || n == 7):
		return second, nil
	case n == 0:
		return 0, invalid("it is empty").WithHint(syntaxHint)
	case n < 5:
		return 0, invalid("it has %d of 5 fields", n).WithHint(syntaxHint)
	case n <= 7:
		return 0, secondsFirst(words, zone, o)
	default:
		return 0, invalid("it has %d fields, it must have 5", n).
			WithHint("put the expression in quotes, so that the shell leaves * alone")
	}
}

// isYears reports whether a sixth field is a list of years: it begins with a
// number of four digits.
func isYears(text string) bool {
	return len(text)-len(strings.TrimLeft(text, "0123456789")) == 4
}

// secondsFirst refuses six or seven fields and shows how they would be read.
func secondsFirst(words []string, zone string, o Options) error {
	err := invalid("it has %d fields, it must have 5; a field for seconds comes first only when --seconds asks for it", len(words))
	o.Seconds = true
	if zone != "" {
		o.TZ = zone
	}
	read, fault := Parse(strings.Join(words, " "), o)
	if fault != nil {
		text, _, _ := strings.Cut(fault.Error(), "\n")
		return err.WithHint("leave one out; with --seconds, %s", strings.TrimPrefix(text, "invalid cron expression: "))
	}
	return err.WithHint("with --seconds it is read as: %s", read.Describe())
}

// cutWord cuts the first word off what stands behind it.
func cutWord(expr string) (word, rest string) {
	if end := strings.IndexFunc(expr, unicode.IsSpace); end >= 0 {
		return expr[:end], strings.TrimSpace(expr[end:])
	}
	return expr, ""
}

// writeOut returns what expr, which begins with @, stands for.
func writeOut(expr string) (string, error) {
	name, rest := cutWord(expr)
	if written, ok := tag(strings.ToLower(name)); ok {
		if rest == "" {
			return written, nil
		}
		line := printable(name + " " + rest)
		return "", pointAt(line, span{len(name) + 1, len(line)}, "nothing can stand behind %s", printable(name)).
			WithHint("%s alone is %s", name, written)
	}
	line := printable(expr)
	err := pointAt(line, span{0, len(printable(name))}, "%q is not a known tag", printable(name))
	known := append(strings.Fields(tagNames), "@every", "@at")
	switch near := nearest(strings.ToLower(name), known, 2); {
	case strings.EqualFold(name, "@reboot"):
		return "", invalid("@reboot is not supported: a start of the machine is no slot")
	case near != "":
		return "", err.WithHint("did you mean %s?", near)
	default:
		return "", err.WithHint("the tags are %s, @every 90s and @at 2026-12-01T08:00:00Z", tagNames)
	}
}

// invalid makes an error about a whole expression.
func invalid(format string, args ...any) *molecule.Error {
	return molecule.Errorf(molecule.Invalid, "invalid cron expression: "+format, args...)
}

// pointAt makes an error about a part of line and shows where it is.
func pointAt(line string, sp span, format string, args ...any) *molecule.Error {
	from := min(sp.from, len(line))
	to := max(min(sp.to, len(line)), from)
	caret := strings.Repeat(" ", utf8.RuneCountInString(line[:from])) + "^" +
		strings.Repeat("~", max(utf8.RuneCountInString(line[from:to])-1, 0))
	return invalid(format+"\n%s\n%s", append(args, line, caret)...)
}

// printable returns s with a question mark for each rune that a terminal would
// act upon, so that a caret below it stands where it should.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
