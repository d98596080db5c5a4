package schedulefile

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/textfile"
)

// MaxBytes is how large a file may be.
const MaxBytes = 64 << 20

// Format is how a file is written. JSON is read as the YAML that it is.
type Format string

// The formats.
const (
	Crontab Format = "crontab"
	YAML    Format = "yaml"
)

// Options say what a file does not say itself.
type Options struct {
	Name   string // for messages, and the format if it tells
	Format Format // "" is recognised
	Agent  string // of a crontab: who receives the prompts
	TZ     string // of a crontab, before a CRON_TZ line: an IANA name, "" for UTC, or local
	// ReadPrompt reads a file that prompt_file names.
	ReadPrompt func(path string) (string, error)
}

// File is what a file says.
type File struct {
	Format  Format
	Entries []Entry
	Faults  []Fault // what cannot be read
	Faulty  int     // schedules that cannot be
	Ignored []Fault // lines that have no effect here, and why
	Unzoned bool    // there are entries of a crontab whose zone nobody named

	name   string
	text   string
	starts []int // see lines
}

// Entry is a schedule and where it begins in its file.
type Entry struct {
	Spec   molecule.ScheduleSpec
	Line   int
	Faulty bool // part of it is among the faults of the file: it may be judged, and not be used
}

// Fault is what is wrong at a place.
type Fault struct {
	textfile.Place
	Message string
	Hint    string
}

// Read reads a file. The error is Invalid when it cannot be read as a whole, or
// one of ReadPrompt that is not.
func Read(text string, o Options) (*File, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	if at := invalidLine(text); at > 0 {
		return nil, molecule.Errorf(molecule.Invalid, "%s:%d is not valid UTF-8", o.Name, at).
			WithHint("convert it first, for example: iconv -f LATIN1 -t UTF-8 FILE")
	}
	f := &File{Format: o.Format, name: o.Name, text: text}
	if f.Format == "" {
		var err error
		if f.Format, err = recognise(o.Name, text); err != nil {
			return nil, err
		}
	}
	switch f.Format {
	case Crontab:
		return f, readCrontab(f, o)
	case YAML:
		if o.Agent != "" || o.TZ != "" {
			return nil, molecule.Errorf(molecule.Invalid, "--agent and --tz are for crontabs, and %s is %s", o.Name, f.Format).
				WithHint("each schedule of it says its own agent and tz")
		}
		return f, readYAML(f, o)
	}
	formats := []string{string(Crontab), string(YAML)}
	err := molecule.Errorf(molecule.Invalid, "there is no format %q", string(f.Format))
	if near := molecule.Nearest(string(f.Format), formats); near != "" {
		return nil, err.WithHint("did you mean %s?", near)
	}
	return nil, err.WithHint("the formats are %s", strings.Join(formats, " and "))
}

// recognise tells the format by the name, or else by the first line that says
// something.
func recognise(name, text string) (Format, error) {
	switch base := filepath.Base(name); {
	case strings.HasSuffix(base, ".yaml"), strings.HasSuffix(base, ".yml"), strings.HasSuffix(base, ".json"):
		return YAML, nil
	case strings.HasSuffix(base, "crontab"), strings.HasSuffix(base, ".cron"):
		return Crontab, nil
	}
	for line := range strings.Lines(text) {
		switch line = strings.TrimSpace(line); {
		case line == "" || line[0] == '#':
		case strings.ContainsRune("{[", rune(line[0])), strings.HasPrefix(line, "- "), strings.HasPrefix(line, "---"), strings.HasPrefix(line, "schedules:"):
			return YAML, nil
		case strings.ContainsRune("*@0123456789", rune(line[0])), isVariable(line):
			return Crontab, nil
		default:
			return "", molecule.Errorf(molecule.Invalid, "%s is neither a crontab nor YAML as far as its first line tells", name).
				WithHint("say which: --format crontab or --format yaml")
		}
	}
	return "", molecule.Errorf(molecule.Invalid, "%s says nothing", name).WithHint("molecli schedule export prints what import reads")
}

// fault adds what is wrong at a place.
func (f *File) fault(p textfile.Place, hint, message string) {
	f.Faults = append(f.Faults, Fault{p, message, hint})
}

// Locate returns where a field of an entry stands, in the names of the wire;
// where the entry begins when it is not written or no field is named.
func (f *File) Locate(e Entry, field string) textfile.Place {
	if f.Format == YAML && field != "" {
		for at := e.Line; at < f.nextEntry(e.Line); at++ {
			line := f.line(at)
			for _, key := range spellings(field) {
				if value, ok := valueIn(line, key); ok {
					column := runes(line[:len(line)-len(value)]) + 1
					return textfile.Place{Line: at, Column: column, Width: max(runes(strings.TrimRight(value, ", ")), 1)}
				}
			}
		}
	}
	return textfile.Place{Line: e.Line}
}

// valueIn returns what stands behind a key on a line that has no other before.
func valueIn(line, key string) (string, bool) {
	body := strings.TrimLeft(line, `- {"`)
	rest, ok := strings.CutPrefix(body, key)
	rest = strings.TrimPrefix(rest, `"`)
	if !ok || !strings.HasPrefix(rest, ":") {
		return "", false
	}
	return strings.TrimLeft(rest[1:], " "), true
}

// spellings are the keys of a file that become one field of the wire.
func spellings(field string) []string {
	switch field {
	case "cron":
		return []string{"cron", "at"}
	case "prompt":
		return []string{"prompt", "prompt_file"}
	}
	return []string{field}
}

// nextEntry returns the line on which the entry behind the one of line begins,
// or the one behind every line.
func (f *File) nextEntry(line int) int {
	i, _ := slices.BinarySearchFunc(f.Entries, line+1, func(e Entry, line int) int { return e.Line - line })
	if i < len(f.Entries) {
		return f.Entries[i].Line
	}
	return len(f.lines()) + 1
}

// Show returns the name of the file, the place and the message, and below them
// the line with a caret where the fault is. A message of several lines shows
// what it is about itself.
func (f *File) Show(t Fault) string {
	head := f.name + ":" + decimal(t.Line)
	if t.Column > 0 {
		head += ":" + decimal(t.Column)
	}
	head += ": " + t.Message
	if strings.Contains(t.Message, "\n") || t.Column == 0 {
		return head
	}
	return head + "\n" + textfile.Point(f.line(t.Line), t.Place)
}

// line returns a line by its number; "" when there is none.
func (f *File) line(n int) string {
	starts := f.lines()
	if n < 1 || n > len(starts) {
		return ""
	}
	line, _, _ := strings.Cut(f.text[starts[n-1]:], "\n")
	return strings.TrimRight(line, "\r")
}

// lines returns where each line begins. It is first asked for when something is
// wrong.
func (f *File) lines() []int {
	if f.starts == nil {
		f.starts = []int{0}
		for i := range len(f.text) {
			if f.text[i] == '\n' && i+1 < len(f.text) {
				f.starts = append(f.starts, i+1)
			}
		}
	}
	return f.starts
}
