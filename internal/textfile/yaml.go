package textfile

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// NotYAML is why a text cannot be read as YAML, and where.
type NotYAML struct {
	Place
	Why string
}

// Error returns why.
func (e *NotYAML) Error() string { return "not valid YAML: " + e.Why }

// Parse returns the nodes of YAML. The error is a *NotYAML, also for lists and
// mappings that stand more than depth deep in each other.
func Parse(text string, depth int) (*ast.File, error) {
	tokens := lexer.Tokenize(text)
	if t := tooDeep(tokens, depth); t != nil {
		return nil, &NotYAML{PlaceOf(t), fmt.Sprintf("lists and mappings stand more than %d deep", depth)}
	}
	file, err := parser.Parse(tokens, 0)
	if e, ok := errors.AsType[yaml.Error](err); ok && e.GetToken() != nil {
		return nil, &NotYAML{PlaceOf(e.GetToken()), e.GetMessage()}
	}
	if err != nil {
		return nil, &NotYAML{Why: "the parser does not say where"}
	}
	return file, nil
}

// tooDeep returns the token with which nesting goes too deep: the parser needs
// time for its square.
func tooDeep(tokens token.Tokens, depth int) *token.Token {
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
		if flow > depth || entries > depth {
			return t
		}
	}
	return nil
}
