package secretmap

import (
	"fmt"
	"strings"
)

// pageWidth is how long a line of prose is. Commands are never broken: they are
// to be copied.
const pageWidth = 88

// Text returns the procedure as a page for a terminal, which is Markdown as
// well.
func (p Procedure) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", p.Secret)
	width := 0
	for _, f := range p.Facts {
		width = max(width, len(f.Title))
	}
	for _, f := range p.Facts {
		fmt.Fprintf(&b, "    %-*s  %s\n", width, f.Title, f.Text)
	}
	if len(p.Dangers) > 0 {
		b.WriteString("\n## Dangers\n\n")
		for _, d := range p.Dangers {
			wrapped(&b, "- ", "  ", d.Rule+": "+d.Text)
			if d.Evidence != "" {
				wrapped(&b, "  ", "  ", "known from: "+d.Evidence)
			}
		}
	}
	p.steps(&b)
	if len(p.Back) > 0 {
		b.WriteString("\n## The way back\n\n")
		for _, line := range p.Back {
			if strings.HasPrefix(line, "  ") {
				b.WriteString("  " + line + "\n")
				continue
			}
			wrapped(&b, "", "", line)
		}
	}
	if p.Forward != "" {
		b.WriteString("\n## Only forward\n\n")
		wrapped(&b, "", "", p.Forward)
	}
	return b.String()
}

func (p Procedure) steps(b *strings.Builder) {
	b.WriteString("\n## Steps\n")
	for i, s := range p.Steps {
		if i+1 == p.NoReturn {
			b.WriteString("\n---- point of no return: what follows cannot be taken back ----\n")
		}
		fmt.Fprintf(b, "\n%d. %s\n", i+1, s.Title)
		for _, t := range s.Text {
			if t != "" {
				wrapped(b, "   ", "   ", t)
			}
		}
		if len(s.Commands) > 0 {
			b.WriteString("\n")
			for _, c := range s.Commands {
				b.WriteString("       " + c + "\n")
			}
		}
		if len(s.Expect) > 0 && len(s.Commands) > 0 {
			b.WriteString("\n")
		}
		for _, e := range s.Expect {
			wrapped(b, "   [ ] ", "       ", e)
		}
	}
}

// wrapped writes a paragraph, its first line behind one prefix and the others
// behind another.
func wrapped(b *strings.Builder, first, next, text string) {
	line := first
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case len([]rune(line))+1+len([]rune(word)) > pageWidth:
			b.WriteString(line + "\n")
			line = next
		default:
			line += " "
		}
		line += word
	}
	b.WriteString(line + "\n")
}
