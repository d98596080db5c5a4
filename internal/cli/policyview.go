package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
)

// policyRecord says what a schedule does with slots that are not as any other.
// What was not asked for and has no default is left out.
func policyRecord(s molecule.Schedule) term.Record {
	p := s.Effective()
	rec := term.Record{
		{Title: "catch-up", Cell: term.Text(catchUpText(p))},
		{Title: "overlap", Cell: term.Text(string(p.Overlap))},
		{Title: "retries", Cell: term.Text(retriesText(p))},
		{Title: "resend", Cell: term.Text(string(p.Resend))},
	}
	for _, f := range []struct{ title, text string }{
		{"jitter", jitterText(p)},
		{"budget", budgetText(p.Budget)},
		{"excluded", strings.Join(p.Exclusions, " ")},
		{"max runs", maxRunsText(s)},
	} {
		if f.text != "" {
			rec = append(rec, term.Field{Title: f.title, Cell: term.Text(f.text)})
		}
	}
	if !p.Until.IsZero() {
		rec = append(rec, term.Field{Title: "until", Cell: term.When(p.Until)})
	}
	return rec
}

func catchUpText(p molecule.Policy) string {
	text := string(p.CatchUp)
	if p.CatchUp == molecule.CatchUpAll {
		text += ", at most " + strconv.Itoa(p.CatchUpMax)
	}
	if p.CatchUpWindow > 0 {
		text += ", within " + p.CatchUpWindow.String()
	}
	return text
}

func retriesText(p molecule.Policy) string {
	if p.Retries == nil {
		return "by outcome"
	}
	return "at most " + strconv.Itoa(*p.Retries)
}

func jitterText(p molecule.Policy) string {
	if p.Jitter == 0 {
		return ""
	}
	return string(p.JitterMode) + " " + p.Jitter.String()
}

// budgetText says what may be spent in which window; "" for no budget.
func budgetText(b *molecule.Budget) string {
	if b == nil {
		return ""
	}
	return b.String()
}

func maxRunsText(s molecule.Schedule) string {
	if s.MaxRuns == 0 {
		return ""
	}
	return fmt.Sprintf("%d, %d have fired", s.MaxRuns, s.Fired)
}

// catchUpWord is the catch-up policy of a canonical p with its bounds; "" for the
// default without any.
func catchUpWord(p molecule.Policy) string {
	text := string(p.CatchUp)
	if p.CatchUpMax > 0 {
		text += " at most " + strconv.Itoa(p.CatchUpMax)
	}
	if p.CatchUpWindow > 0 {
		text = string(p.Effective().CatchUp) + strings.TrimPrefix(text, string(p.CatchUp)) + " within " + p.CatchUpWindow.String()
	}
	return text
}

// policyCell is the policies of a schedule that are not the default, in a word
// each.
func policyCell(s molecule.Schedule) term.Cell {
	var words []string
	c := s.Canonical()
	for _, word := range []string{
		catchUpWord(c), string(c.Overlap), jitterText(s.Effective()), budgetText(c.Budget),
	} {
		if word != "" {
			words = append(words, word)
		}
	}
	if c.Retries != nil {
		words = append(words, "retries "+strconv.Itoa(*c.Retries))
	}
	if c.Resend != "" {
		words = append(words, "resend "+string(c.Resend))
	}
	if len(c.Exclusions) > 0 {
		words = append(words, "not "+strings.Join(c.Exclusions, " "))
	}
	if c.MaxRuns > 0 {
		words = append(words, "at most "+strconv.Itoa(c.MaxRuns)+" runs")
	}
	if !c.Until.IsZero() {
		words = append(words, "until "+c.Until.UTC().Format(time.RFC3339))
	}
	return term.Text(strings.Join(words, ", "))
}
