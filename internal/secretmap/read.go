package secretmap

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/textfile"
)

// maxDepth is how deep lists and mappings may stand in each other. A map needs
// nine, and the parser the square of the time.
const maxDepth = 24

// Read reads a map from the text of a file. What cannot be read of it is among
// the findings, and the rest is read all the same; the error is Invalid when it
// is not YAML at all.
func Read(name, text string) (*File, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	f := &File{name: name, lines: strings.Split(text, "\n")}
	switch {
	case len(text) > MaxBytes:
		return nil, molecule.Errorf(molecule.TooLarge, "%s is over %d bytes", name, MaxBytes).WithHint("split it, one daemon for each")
	case !utf8.ValidString(text):
		return nil, molecule.Errorf(molecule.Invalid, "%s is not valid UTF-8", name).WithHint("convert it first, for example: iconv -f LATIN1 -t UTF-8 FILE")
	}
	root, err := textfile.Parse(text, maxDepth)
	if err != nil {
		return nil, f.notYAML(err)
	}
	found := false
	for _, doc := range root.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		found = true
		f.document(doc.Body)
	}
	if !found {
		return nil, molecule.Errorf(molecule.Invalid, "%s says nothing", name).WithHint(other)
	}
	if n := len(f.Map.Secrets); n > MaxSecrets {
		return nil, molecule.Errorf(molecule.TooLarge, "%s has %d secrets, the most is %d", name, n, MaxSecrets).WithHint("split it, one daemon for each")
	}
	return f, nil
}

// notYAML is the error for a file that cannot be read as a whole.
func (f *File) notYAML(err error) error {
	t := Finding{Message: err.Error()}
	if e, ok := errors.AsType[*textfile.NotYAML](err); ok {
		t.put(e.Place)
	}
	return molecule.Errorf(molecule.Invalid, "%s", f.Show(t)).WithHint(other)
}

// document reads secrets: a list of them, or a mapping of that one key.
func (f *File) document(body ast.Node) {
	if list, ok := body.(*ast.SequenceNode); ok {
		f.list(list)
		return
	}
	pairs, ok := pairsOf(body)
	if !ok {
		f.fault(RuleUnreadable, "", body, "this is no list of secrets", "write secrets: and below it a list")
		return
	}
	for _, pair := range pairs {
		switch list, isList := pair.Value.(*ast.SequenceNode); {
		case pair.Key.GetToken().Value != "secrets":
			f.fault(RuleUnreadable, "", pair.Key, fmt.Sprintf("there is no key %q", excerpt(pair.Key)), "the only key here is secrets")
		case !isList:
			f.fault(RuleUnreadable, "", pair.Value, "secrets is no list", "write each as - name: NAME")
		default:
			f.list(list)
		}
	}
}

func (f *File) list(list *ast.SequenceNode) {
	for _, n := range list.Values {
		if _, ok := pairsOf(n); !ok {
			f.fault(RuleUnreadable, "", n, "this is no secret", "write each as - name: NAME, and below it its other keys")
			continue
		}
		s := f.secret(n)
		f.Map.Secrets = append(f.Map.Secrets, s)
		for i := range s.Parts {
			f.nodes = append(f.nodes, child(child(n, "parts"), fmt.Sprintf("[%d]", i)))
		}
		f.nodes = append(f.nodes, n)
	}
}

// fault adds what cannot be read.
func (f *File) fault(rule, secret string, at ast.Node, message, hint string) {
	t := Finding{Rule: rule, Secret: secret, Message: message, Hint: hint}
	t.put(placeOf(at))
	f.Findings = append(f.Findings, t)
}

// pairsOf returns the keys of a mapping and their values.
func pairsOf(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func excerpt(n ast.Node) string { return molecule.Excerpt(textfile.Printable(n.GetToken().Value), 40) }

// secret reads one secret. What cannot be read of it is told and left out.
func (f *File) secret(n ast.Node) molecule.MappedSecret {
	d := decoder{File: f}
	if pair := keyOf(n, "name"); pair != nil {
		d.secret = pair.Value.GetToken().Value
	}
	var s molecule.MappedSecret
	d.value("", n, reflect.ValueOf(&s).Elem())
	return s
}
