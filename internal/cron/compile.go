package cron

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// maxBytes bounds an expression: every minute written out takes 167.
const maxBytes = 256

// syntaxHint is the hint of every error that knows no better one.
const syntaxHint = "five fields: minute 0-59, hour 0-23, day 1-31, month 1-12 or JAN-DEC, weekday 0-7 or SUN-SAT; " +
	"each *, a list 1,15, a range 9-17 or a step */10"

// tagNames are the names that stand for an expression.
const tagNames = "@annually @daily @hourly @midnight @monthly @weekly @yearly"

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
	}
	return "", false
}

// compile reads expr into a spec and its canonical form.
func compile(expr string) (*spec, string, error) {
	fields, err := split(expr)
	if err != nil {
		return nil, "", err
	}
	var sets [5]set
	canonical := make([]string, len(fields))
	for i, f := range fields {
		if sets[i], canonical[i], err = f.parse(); err != nil {
			return nil, "", err
		}
	}
	sp := newSpec(sets)
	// The calendar repeats after 400 years: one search proves that a day comes.
	if _, ok := sp.nextCivil(0); !ok {
		return nil, "", fields[day].errorf(span{0, len(fields[day].text)}, "it never fires, %s", sp.whyNever()).
			WithHint("choose a day that the month has, or leave the month *")
	}
	return sp, strings.Join(canonical, " "), nil
}

// split cuts expr into its five fields and writes out a tag.
func split(expr string) ([]field, error) {
	expr = strings.TrimSpace(expr)
	if len(expr) > maxBytes {
		return nil, invalid("it is %d bytes long, the most is %d", len(expr), maxBytes)
	}
	if strings.HasPrefix(expr, "@") {
		written, err := writeOut(expr)
		if err != nil {
			return nil, err
		}
		expr = written
	}
	words := strings.Fields(expr)
	if len(words) > 0 && strings.Contains(words[0], "TZ=") {
		return nil, invalid("%q is not part of an expression here", printable(words[0])).
			WithHint("give the time zone beside the expression: --tz Europe/Berlin")
	}
	if err := countFields(words); err != nil {
		return nil, err
	}
	line := printable(strings.Join(words, " "))
	fields := make([]field, len(words))
	at := 0
	for i, w := range words {
		w = printable(w)
		fields[i] = field{bounds: &allBounds[i], number: i + 1, text: w, line: line, at: at}
		at += len(w) + 1
	}
	return fields, nil
}

// countFields refuses what has not five fields, with the likely reason.
func countFields(words []string) error {
	switch n := len(words); {
	case n == 5:
		return nil
	case n == 0:
		return invalid("it is empty").WithHint(syntaxHint)
	case n < 5:
		return invalid("it has %d of 5 fields", n).WithHint(syntaxHint)
	case n == 6:
		return invalid("it has 6 fields, it must have 5; a field for seconds or years is not supported").WithHint(syntaxHint)
	case n == 7:
		return invalid("it has 7 fields, it must have 5; fields for seconds and years are not supported").WithHint(syntaxHint)
	default:
		return invalid("it has %d fields, it must have 5", n).
			WithHint("put the expression in quotes, so that the shell leaves * alone")
	}
}

// writeOut returns what expr, which begins with @, stands for.
func writeOut(expr string) (string, error) {
	words := strings.Fields(expr)
	name := strings.ToLower(words[0])
	if written, ok := tag(name); ok && len(words) == 1 {
		return written, nil
	}
	err := invalid("%q is not a known tag", printable(expr))
	switch near := nearest(name, strings.Fields(tagNames), 2); {
	case name == "@every":
		return "", invalid("@every is not supported").
			WithHint("write an interval as a step: '*/10 * * * *' is every ten minutes, '0 */2 * * *' every two hours")
	case name == "@reboot":
		return "", invalid("@reboot is not supported: a start of the machine is no slot")
	case near != "":
		return "", err.WithHint("did you mean %s?", near)
	default:
		return "", err.WithHint("the tags are %s", tagNames)
	}
}

// invalid makes an error about a whole expression.
func invalid(format string, args ...any) *molecule.Error {
	return molecule.Errorf(molecule.Invalid, "invalid cron expression: "+format, args...)
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
