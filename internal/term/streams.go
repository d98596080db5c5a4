package term

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Streams is where a command reads and writes. Results go to Out, everything
// else to Err.
type Streams struct {
	In     io.Reader
	Out    io.Writer
	Err    io.Writer
	InTTY  bool
	OutTTY bool
	ErrTTY bool
	Width  int // columns of the terminal behind Out; 0 when unknown
}

// defaultWidth is taken for a terminal that does not know its own.
const defaultWidth = 80

// Standard returns the streams of this process.
func Standard() Streams {
	s := Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTTY:  term.IsTerminal(int(os.Stdin.Fd())),
		OutTTY: term.IsTerminal(int(os.Stdout.Fd())),
		ErrTTY: term.IsTerminal(int(os.Stderr.Fd())),
	}
	if s.OutTTY {
		if w, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
			s.Width = w
		}
	}
	return s
}

// Columns returns how wide a line on Out may be: 0, no limit, when Out is no
// terminal.
func (s Streams) Columns() int {
	switch {
	case !s.OutTTY:
		return 0
	case s.Width <= 0:
		return defaultWidth
	}
	return s.Width
}
