package envfile

import (
	"errors"
	"strings"

	"github.com/molecule-ai/molecli/internal/vault/sink"
)

// line is where a key stands in a text. The zero line is one that is not there.
type line struct {
	found      bool
	from, to   int // of the whole line, its break included
	start, end int // of what stands behind the equals sign
	value      string
}

var (
	errTwice  = errors.New("the key stands there twice")
	errQuotes = errors.New("what stands there cannot be read as one value")
)

// find looks for the line of a key.
func find(text, key string) (line, error) {
	var at line
	for from := 0; from < len(text); {
		to := from + len(text[from:])
		if i := strings.IndexByte(text[from:], '\n'); i >= 0 {
			to = from + i + 1
		}
		if l, ok := parse(text, from, to, key); ok {
			if at.found {
				return line{}, errTwice
			}
			at = l
		}
		from = to
	}
	if !at.found {
		return at, nil
	}
	value, ok := unquote(text[at.start:at.end])
	if !ok {
		return line{}, errQuotes
	}
	at.value = value
	return at, nil
}

// parse reads one line, which may be that of the key.
func parse(text string, from, to int, key string) (line, bool) {
	body := strings.TrimRight(text[from:to], "\r\n")
	rest := strings.TrimLeft(body, " \t")
	if exported, ok := strings.CutPrefix(rest, "export "); ok {
		rest = strings.TrimLeft(exported, " \t")
	}
	value, ok := strings.CutPrefix(rest, key+"=")
	if !ok {
		return line{}, false
	}
	end := from + len(body)
	return line{found: true, from: from, to: to, start: end - len(value), end: end}, true
}

// set returns the text with the key set to what is quoted already.
func (l line) set(text, key, quoted string) string {
	if l.found {
		return text[:l.start] + quoted + text[l.end:]
	}
	added, end := key+"="+quoted, "\n"
	if strings.Contains(text, "\r\n") {
		end = "\r\n"
	}
	if text == "" || strings.HasSuffix(text, "\n") {
		return text + added + end
	}
	return text + end + added // the last line had no break, and has none
}

// cut returns the text without the line.
func (l line) cut(text string) string {
	if l.to == len(text) && !strings.HasSuffix(text, "\n") { // then the line before is the last, and has no break either
		return strings.TrimSuffix(strings.TrimSuffix(text[:l.from], "\n"), "\r")
	}
	return text[:l.from] + text[l.to:]
}

// plain are the characters that no reader takes for anything else.
const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:@%+,=-"

// escaped are the characters that a backslash stands before in double quotes.
const escaped = "\"\\$`"

// quote writes a value so that a shell and systemd read it.
func quote(value string) (string, error) {
	switch {
	case strings.ContainsAny(value, "\n\r\x00"):
		return "", sink.Rejected("a line of a file of variables holds no line break and no zero byte, and the value has one")
	case strings.Trim(value, plain) == "" && value != "":
		return value, nil
	case !strings.ContainsAny(value, `'\`): // systemd of old reads a backslash even there
		return "'" + value + "'", nil
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(value) {
		if strings.IndexByte(escaped, value[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(value[i])
	}
	b.WriteByte('"')
	return b.String(), nil
}

// unquote reads what quote wrote, and what people write in the same ways.
func unquote(text string) (string, bool) {
	text = strings.TrimRight(text, " \t")
	if text == "" {
		return "", true
	}
	inside := ""
	if len(text) > 1 && text[len(text)-1] == text[0] {
		inside = text[1 : len(text)-1]
	}
	switch text[0] {
	case '\'':
		return inside, len(text) > 1 && !strings.Contains(inside, "'") && text[len(text)-1] == '\''
	case '"':
		if len(text) < 2 || text[len(text)-1] != '"' {
			return "", false
		}
		return unescape(inside)
	}
	return text, !strings.ContainsAny(text, `'"\`)
}

// unescape reads what stands between double quotes.
func unescape(text string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return "", false // it ended before
		case text[i] == '\\' && i+1 == len(text):
			return "", false // the quote behind it is escaped
		case text[i] == '\\' && strings.IndexByte(escaped, text[i+1]) >= 0:
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String(), true
}
