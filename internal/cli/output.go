package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
)

// The faces of a result.
const (
	outTable = "table"
	outWide  = "wide"
	outJSON  = "json"
	outJSONL = "jsonl"
	outYAML  = "yaml"
	outName  = "name"
)

// outputs returns the values of --output.
func outputs() []string { return []string{outTable, outWide, outJSON, outJSONL, outYAML, outName} }

// printer writes results and messages the way the settings ask for.
type printer struct {
	term.Streams
	config config
	layout term.Layout
	paint  term.Palette // of standard error
	frames bool         // JSON takes a line for each look
}

// printer resolves the settings and returns a printer.
func (a *app) printer() (*printer, error) {
	v, err := a.resolve()
	if err != nil {
		return nil, err
	}
	s := a.env.Streams
	p := &printer{Streams: s, config: v.config, frames: a.frames, paint: term.NewPalette(v.config.Color, s.ErrTTY, a.env.Lookup)}
	times, err := p.times(a.now())
	if err != nil {
		return nil, err
	}
	p.layout = term.Layout{
		Pipe:    !s.OutTTY,
		Width:   s.Columns(),
		Palette: term.NewPalette(v.config.Color, s.OutTTY, a.env.Lookup),
		Times:   times,
	}
	if v.config.Output == outWide {
		p.layout.Width = 0
	}
	return p, nil
}

// times decides how instants are written: relative for a person, RFC 3339 for
// a program, in a zone when one is named.
func (p *printer) times(now time.Time) (term.Times, error) {
	style := p.config.Time
	switch {
	case style != "auto":
	case !p.OutTTY:
		style = term.TimeISO
	case p.config.TZ != "":
		style = term.TimeLocal
	default:
		style = term.TimeRelative
	}
	zone := time.Local
	if p.config.TZ != "" && p.config.TZ != "local" {
		z, err := time.LoadLocation(p.config.TZ)
		if err != nil {
			return term.Times{}, molecule.Errorf(molecule.Invalid, "there is no time zone %q", p.config.TZ).
				WithHint("use an IANA name such as Europe/Berlin")
		}
		zone = z
	}
	return term.Times{Style: style, Zone: zone, Now: now}, nil
}

// structured reports whether a program reads the result.
func (p *printer) structured() bool {
	return slices.Contains([]string{outJSON, outJSONL, outYAML}, p.config.Output)
}

// encode writes v as JSON or YAML.
func (p *printer) encode(v any) error {
	if p.config.Output == outJSONL || p.frames && p.config.Output == outJSON {
		return p.jsonLine(v)
	}
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	if p.config.Output == outYAML {
		if raw, err = yaml.JSONToYAML(raw); err != nil {
			return fmt.Errorf("encode result: %w", err)
		}
		return p.write(string(raw))
	}
	return p.write(string(raw) + "\n")
}

// jsonLine writes v as one line of JSON.
func (p *printer) jsonLine(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	return p.write(string(raw) + "\n")
}

// write writes to standard output.
func (p *printer) write(s string) error {
	_, err := io.WriteString(p.Out, s)
	return err
}

// line writes one line of a result.
func (p *printer) line(format string, args ...any) error {
	return p.write(fmt.Sprintf(format, args...) + "\n")
}

// below writes text behind a title, and goes on below it where the line ends.
func (p *printer) below(title, text string) error {
	width := p.layout.Width
	if width > 0 {
		width = max(width-len(title), 1)
	}
	return p.line("%s%s", title, strings.Join(term.Wrap(text, width), "\n"+strings.Repeat(" ", len(title))))
}

// text writes what an agent or the daemon said. A terminal gets it without the
// characters that could take it over, a pipe as it came.
func (p *printer) text(s string) error {
	if s != "" && s[len(s)-1] != '\n' {
		s += "\n"
	}
	return p.passOn(s)
}

// passOn is text for a part of one.
func (p *printer) passOn(s string) error {
	if p.OutTTY {
		s = term.CleanText(s)
	}
	return p.write(s)
}

// note writes a message to standard error, unless --quiet.
func (p *printer) note(format string, args ...any) {
	if !p.config.Quiet {
		writeLine(p.Err, term.CleanText(fmt.Sprintf(format, args...)))
	}
}

// done says on standard error what was done.
func (p *printer) done(format string, args ...any) {
	if !p.config.Quiet {
		writeLine(p.Err, p.paint.Mark(term.Good)+" "+term.CleanText(fmt.Sprintf(format, args...)))
	}
}
