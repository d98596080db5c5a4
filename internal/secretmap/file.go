package secretmap

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/textfile"
)

// MaxBytes is how large a file may be, and MaxSecrets how many it may name.
const (
	MaxBytes   = 4 << 20
	MaxSecrets = 1000
)

// File is a map as a file says it.
type File struct {
	Map      molecule.SecretMap
	Findings []Finding // what cannot be read, in the order of the file

	name  string
	lines []string
	nodes []ast.Node // of each entry, parts before what they are of
}

// locate returns where a finding is, as near as can be told when what it is
// about is not written.
func (f *File) locate(t Finding) textfile.Place {
	if t.entry >= len(f.nodes) {
		return textfile.Place{}
	}
	at, field := f.nodes[t.entry], t.Field
	place := placeOf(at)
	if key := keyOf(at, "name"); key != nil {
		place = placeOf(key.Value)
	}
	for field != "" {
		var step string
		step, field = cutStep(field)
		if at = child(at, step); at == nil {
			return place
		}
		place = placeOf(at)
	}
	return place
}

// cutStep cuts the first step of a path: a key, or a number in brackets.
func cutStep(path string) (step, rest string) {
	if inside, behind, ok := strings.Cut(strings.TrimPrefix(path, "["), "]"); ok && path[0] == '[' {
		return "[" + inside + "]", strings.TrimPrefix(behind, ".")
	}
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		return path, ""
	}
	return path[:end], strings.TrimPrefix(path[end:], ".")
}

// child returns what stands in a node under a key or a number.
func child(n ast.Node, step string) ast.Node {
	var i int
	if _, err := fmt.Sscanf(step, "[%d]", &i); err == nil {
		list, ok := n.(*ast.SequenceNode)
		if !ok || i >= len(list.Values) {
			return nil
		}
		return list.Values[i]
	}
	if pair := keyOf(n, step); pair != nil {
		return pair.Value
	}
	return nil
}

// keyOf returns a key of a mapping and its value; nil when it has none.
func keyOf(n ast.Node, key string) *ast.MappingValueNode {
	pairs, _ := pairsOf(n)
	for _, pair := range pairs {
		if pair.Key.GetToken().Value == key {
			return pair
		}
	}
	return nil
}

// placeOf returns where a node begins.
func placeOf(n ast.Node) textfile.Place {
	if pairs, ok := pairsOf(n); ok && len(pairs) > 0 {
		n = pairs[0].Key
	}
	return textfile.PlaceOf(n.GetToken())
}

// Show returns the name of the file, the place and what is wrong, and below them
// the line with a caret where it is.
func (f *File) Show(t Finding) string {
	text := t.Message
	if t.Secret != "" && !strings.Contains(text, t.Secret) {
		text = t.Secret + ": " + text
	}
	if t.Line == 0 || t.Line > len(f.lines) {
		return f.name + ": " + text
	}
	line := []rune(f.lines[t.Line-1])
	if end := t.Column - 1 + t.width; t.Rule == RuleValue && end <= len(line) {
		line = append(line[:end], []rune(": [sealed]")...) // what stands there may be a value
	}
	at := textfile.Place{Line: t.Line, Column: t.Column, Width: t.width}
	return fmt.Sprintf("%s:%d:%d: %s\n%s", f.name, t.Line, t.Column, text, textfile.Point(string(line), at))
}
