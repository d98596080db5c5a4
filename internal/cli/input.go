package cli

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// readPrompt returns the text that --prompt stands for: itself, the content of
// the file behind @, or standard input for -.
func (p *printer) readPrompt(flag string) (string, error) {
	text := flag
	switch {
	case flag == "-":
		raw, err := io.ReadAll(io.LimitReader(p.In, molecule.MaxPromptBytes+1))
		if err != nil {
			return "", molecule.Errorf(molecule.Invalid, "prompt cannot be read from standard input").WithCause(err)
		}
		text = string(raw)
	case strings.HasPrefix(flag, "@"):
		raw, err := readBounded(flag[1:], molecule.MaxPromptBytes+1)
		if err != nil {
			return "", molecule.Errorf(molecule.Invalid, "prompt file %q cannot be read", flag[1:]).WithCause(err).
				WithHint("--prompt @FILE reads a file, --prompt - standard input")
		}
		text = string(raw)
	}
	if text != flag && len(text) > molecule.MaxPromptBytes {
		// Only so much was read: how long it is, nobody knows.
		return "", molecule.Errorf(molecule.TooLarge, "prompt is over %d bytes", molecule.MaxPromptBytes).
			WithHint("put the text in a file the agent can read and name the file in the prompt")
	}
	return text, molecule.ValidatePrompt(text)
}

// readInput reads at most max bytes of a file, or of standard input for "-", and
// returns what to call it.
func readInput(p *printer, path string, max int64) (name string, raw []byte, err error) {
	if path == "-" {
		raw, err = io.ReadAll(io.LimitReader(p.In, max))
		return "stdin", raw, err
	}
	raw, err = readBounded(path, max)
	return path, raw, err
}

// readBounded reads at most max bytes of a file. The error does not name it.
func readBounded(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if err == nil {
		defer func() { _ = f.Close() }() // it was only read
		var raw []byte
		if raw, err = io.ReadAll(io.LimitReader(f, max)); err == nil {
			return raw, nil
		}
	}
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		err = pe.Err
	}
	return nil, err
}

// confirm asks before something is removed from the daemon.
func (s *session) confirm(what string) error { return s.printer.confirm(what, s.where()) }

// confirm asks before something is removed. Where nobody can answer, --yes
// must have.
func (p *printer) confirm(what, where string) error {
	if p.config.Yes {
		return nil
	}
	if !p.InTTY || p.config.NoInput {
		return molecule.Errorf(molecule.Invalid, "%s is not removed: nobody said yes", what).WithHint("add --yes")
	}
	yes, err := p.ask("Remove " + what + " at " + where + "?")
	if err == nil && !yes {
		err = molecule.Errorf(molecule.Invalid, "%s is not removed: the answer was not yes", what)
	}
	return err
}

// where names the daemon for a person: its endpoint, and the context it is of.
func (s *session) where() string {
	if s.config.Context == "" {
		return s.client.Endpoint()
	}
	return s.client.Endpoint() + " (context " + s.config.Context + ")"
}

// ask asks for a yes on a terminal.
func (p *printer) ask(question string) (bool, error) {
	if _, err := io.WriteString(p.Err, question+" [y/N] "); err != nil {
		return false, err
	}
	answer, err := bufio.NewReader(p.In).ReadString('\n')
	if errors.Is(err, io.EOF) {
		writeLine(p.Err, "") // the cursor is still behind the question
		err = nil
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", err
}
