package execagent

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// special are the bytes a shell would act on. Nothing here does, so they are
// refused rather than passed on as they are.
const special = "|<>;&$*?[`()\n"

// split cuts a command into words by the quoting of POSIX: single quotes keep
// everything, double quotes keep all but a backslash before " \ $ and `, and a
// backslash keeps the next byte or joins two lines. Nothing is expanded.
func split(command string) ([]string, error) {
	s := splitter{in: command}
	for s.at < len(s.in) {
		if err := s.step(); err != nil {
			return nil, err
		}
	}
	s.end()
	return s.words, nil
}

// splitter is the state of split.
type splitter struct {
	in     string
	at     int
	word   strings.Builder
	inWord bool
	words  []string
}

// step takes one byte, or one quoted piece.
func (s *splitter) step() error {
	c := s.in[s.at]
	switch {
	case c == ' ' || c == '\t':
		s.end()
		s.at++
		return nil
	case c == '\'':
		return s.quoted('\'', "")
	case c == '"':
		return s.quoted('"', "\"\\$`\n")
	case c == '\\':
		if s.at+1 == len(s.in) {
			return s.refuse("a backslash at the end quotes nothing")
		}
		if s.in[s.at+1] != '\n' { // with a line break it joins two lines
			s.keep(s.in[s.at+1])
		}
		s.at += 2
		return nil
	case strings.IndexByte(special, c) >= 0, !s.inWord && (c == '~' || c == '#'):
		return s.refuse("%q is for a shell, and no shell runs this", c)
	}
	s.keep(c)
	s.at++
	return nil
}

// quoted takes a piece up to the closing quote; a backslash quotes the bytes in
// escapes.
func (s *splitter) quoted(quote byte, escapes string) error {
	for i := s.at + 1; i < len(s.in); i++ {
		c := s.in[i]
		switch {
		case c == quote:
			s.inWord = true // an empty piece is a word too
			s.at = i + 1
			return nil
		case c == '\\' && i+1 < len(s.in) && strings.IndexByte(escapes, s.in[i+1]) >= 0:
			if i++; s.in[i] != '\n' {
				s.keep(s.in[i])
			}
		case quote == '"' && (c == '$' || c == '`'):
			s.at = i
			return s.refuse("%q is for a shell, and no shell runs this", c)
		default:
			s.keep(c)
		}
	}
	return s.refuse("this quote is never closed")
}

func (s *splitter) keep(c byte) {
	s.inWord = true
	s.word.WriteByte(c)
}

// end finishes the word in progress, if there is one.
func (s *splitter) end() {
	if s.inWord {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.inWord = false
}

// refuse points at the byte in question.
func (s *splitter) refuse(format string, args ...any) error {
	before := []rune(oneLine(s.in[:s.at]))
	shown := append(before, []rune(oneLine(s.in[s.at:]))...)
	from := max(len(before)-shownBefore, 0)
	line := string(shown[from:min(len(before)+shownBehind, len(shown))])
	return molecule.Errorf(molecule.Invalid, "command is not valid: %s\n%s\n%s^",
		fmt.Sprintf(format, args...), line, strings.Repeat(" ", len(before)-from)).
		WithHint("quote it, or add --shell to let /bin/sh run the command")
}

// How much of a command is shown around a fault.
const (
	shownBefore = 60
	shownBehind = 40
)

// oneLine shows what moves the cursor as a blank, so that a caret stays where
// it belongs.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}
