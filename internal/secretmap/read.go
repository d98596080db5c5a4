package secretmap

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/molecule-ai/molecli/internal/molecule"
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
	tokens := lexer.Tokenize(text)
	if t := tooDeep(tokens); t != nil {
		return nil, f.notYAML(t, fmt.Sprintf("lists and mappings stand more than %d deep", maxDepth))
	}
	root, err := parser.Parse(tokens, 0)
	if err != nil {
		if e, ok := errors.AsType[yaml.Error](err); ok && e.GetToken() != nil {
			return nil, f.notYAML(e.GetToken(), e.GetMessage())
		}
		return nil, molecule.Errorf(molecule.Invalid, "%s is not valid YAML", name).WithCause(err)
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
func (f *File) notYAML(at *token.Token, why string) error {
	t := Finding{Message: "not valid YAML: " + why, Line: at.Position.Line, Column: at.Position.Column, width: utf8.RuneCountInString(at.Value)}
	return molecule.Errorf(molecule.Invalid, "%s", f.Show(t)).WithHint(other)
}

// tooDeep returns the token with which nesting goes too deep.
func tooDeep(tokens token.Tokens) *token.Token {
	flow, line, entries := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, entries = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			entries++
		}
		if flow > maxDepth || entries > maxDepth {
			return t
		}
	}
	return nil
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
	p := placeOf(at)
	f.Findings = append(f.Findings, Finding{
		Rule: rule, Secret: secret, Message: message, Hint: hint, Line: p.Line, Column: p.Column, width: p.Width,
	})
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

func excerpt(n ast.Node) string { return molecule.Excerpt(printable(n.GetToken().Value), 40) }

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
