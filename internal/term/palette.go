package term

import "charm.land/lipgloss/v2"

// Tone says what a piece of text means. Its colour never stands alone: Symbol
// says the same without one.
type Tone int

// The tones. The zero Tone is plain text.
const (
	Plain Tone = iota
	Good
	Warn
	Bad
	Busy  // under way, nothing to judge yet
	Faint // there, but not what you came for
	Title
)

// Symbol returns the sign that stands beside a colour; "" for tones that judge
// nothing.
func (t Tone) Symbol() string {
	switch t {
	case Good:
		return "✓"
	case Warn:
		return "!"
	case Bad:
		return "✗"
	case Busy:
		return "…"
	}
	return ""
}

// style returns the look of a tone, from the palette 0 to 15 only.
func (t Tone) style() lipgloss.Style {
	s := lipgloss.NewStyle()
	switch t {
	case Good:
		return s.Foreground(lipgloss.Green)
	case Warn:
		return s.Foreground(lipgloss.Yellow)
	case Bad:
		return s.Foreground(lipgloss.Red)
	case Busy:
		return s.Foreground(lipgloss.Cyan)
	case Faint:
		return s.Foreground(lipgloss.BrightBlack)
	case Title:
		return s.Bold(true)
	}
	return s
}

// Palette paints, or does not. The zero Palette does not.
type Palette struct{ on bool }

// The values of --color.
const (
	ColorAuto   = "auto"
	ColorAlways = "always"
	ColorNever  = "never"
)

// NewPalette decides whether to paint: mode is one of the Color constants, tty
// says whether a terminal will read it, lookup reads the environment. Auto
// paints on a terminal, unless NO_COLOR is set or TERM is dumb.
func NewPalette(mode string, tty bool, lookup func(string) (string, bool)) Palette {
	switch mode {
	case ColorAlways:
		return Palette{on: true}
	case ColorNever:
		return Palette{}
	}
	if v, ok := lookup("NO_COLOR"); ok && v != "" {
		return Palette{}
	}
	kind, _ := lookup("TERM")
	return Palette{on: tty && kind != "dumb"}
}

// Paint returns s in the look of a tone.
func (p Palette) Paint(t Tone, s string) string {
	if !p.on || t == Plain || s == "" {
		return s
	}
	return t.style().Render(s)
}

// Mark returns the symbol of a tone in its colour.
func (p Palette) Mark(t Tone) string { return p.Paint(t, t.Symbol()) }
