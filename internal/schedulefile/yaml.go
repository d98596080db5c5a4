package schedulefile

import (
	"errors"
	"fmt"
	"slices"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/textfile"
)

// maxDepth is how deep lists and mappings may stand in each other. Schedules
// need four.
const maxDepth = 16

// readYAML reads YAML. The form that WriteYAML writes is read line by line, any
// other by way of its tree, which takes far longer and knows each place.
func readYAML(f *File, o Options) error {
	entries, canonical := readCanonical(f.text, o.ReadPrompt)
	if f.Entries = entries; !canonical {
		if err := readTree(f, o); err != nil {
			return err
		}
	}
	f.refuseTwins()
	slices.SortStableFunc(f.Faults, func(a, b Fault) int { return a.Line - b.Line })
	return nil
}

// refuseTwins takes out entries whose name is that of one above.
func (f *File) refuseTwins() {
	lines := make(map[string]int, len(f.Entries))
	f.Entries = slices.DeleteFunc(f.Entries, func(e Entry) bool {
		line, twice := lines[e.Spec.Name]
		if twice {
			f.fault(f.Locate(e, "name"), "rename one of them", fmt.Sprintf("the name %q is that of line %d", e.Spec.Name, line))
			if !e.Faulty {
				f.Faulty++
			}
			return true
		}
		lines[e.Spec.Name] = e.Line
		return false
	})
}

// tree reads the nodes of YAML.
type tree struct {
	*File
	options Options
	keys    []string
}

func readTree(f *File, o Options) error {
	file, err := textfile.Parse(f.text, maxDepth)
	if err != nil {
		return f.notYAML(err)
	}
	t := tree{f, o, keys()}
	for _, doc := range file.Docs {
		if doc.Body != nil {
			t.document(doc.Body)
		}
	}
	return nil
}

// notYAML is the error for a file that cannot be read as a whole.
func (f *File) notYAML(err error) error {
	text := f.name + ": " + err.Error()
	if e, ok := errors.AsType[*textfile.NotYAML](err); ok && e.Line > 0 {
		text = f.Show(Fault{e.Place, e.Error(), ""})
	}
	return molecule.Errorf(molecule.Invalid, "%s", text).WithHint("molecli schedule export prints what import reads")
}

// document reads schedules: a list of them, or a mapping of that one key.
func (t tree) document(body ast.Node) {
	if list, ok := body.(*ast.SequenceNode); ok {
		t.list(list)
		return
	}
	pairs, ok := pairsOf(body)
	if !ok {
		t.fault(textfile.PlaceOf(body.GetToken()), "write schedules: and below it a list", "this is no list of schedules")
		return
	}
	for _, pair := range pairs {
		switch list, isList := pair.Value.(*ast.SequenceNode); {
		case pair.Key.GetToken().Value != "schedules":
			t.fault(textfile.PlaceOf(pair.Key.GetToken()), "the only key here is schedules; molecli schedule export prints what import reads",
				fmt.Sprintf("there is no key %q", molecule.Excerpt(textfile.Printable(pair.Key.GetToken().Value), 40)))
		case !isList:
			t.fault(textfile.PlaceOf(pair.Value.GetToken()), "write each as - name: NAME", "schedules is no list")
		default:
			t.list(list)
		}
	}
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

func (t tree) list(list *ast.SequenceNode) {
	for _, n := range list.Values {
		if pairs, ok := pairsOf(n); ok && len(pairs) > 0 {
			t.schedule(pairs)
			continue
		}
		t.Faulty++
		t.fault(textfile.PlaceOf(n.GetToken()), "write each as - name: NAME, and below it its other keys", "this is no schedule")
	}
}

// schedule reads one schedule, and tells all that is wrong with it.
func (t tree) schedule(pairs []*ast.MappingValueNode) {
	d := new(draft)
	before := len(t.Faults)
	places := make(map[string]textfile.Place, len(pairs))
	for _, pair := range pairs {
		key := pair.Key.GetToken().Value
		places[key] = textfile.PlaceOf(pair.Value.GetToken())
		if at, err := t.pair(d, pair); err != nil {
			t.fault(textfile.PlaceOf(at), molecule.HintOf(err), err.Error())
		}
	}
	line := pairs[0].Key.GetToken().Position.Line
	whole := d.finish(t.options.ReadPrompt, func(key string, err error) {
		place, ok := places[key]
		if !ok {
			place = textfile.Place{Line: line}
		}
		t.fault(place, molecule.HintOf(err), err.Error())
	})
	faulty := len(t.Faults) > before
	if faulty {
		t.Faulty++
	}
	if whole {
		t.Entries = append(t.Entries, Entry{d.spec, line, faulty})
	}
}

// pair takes a key and its value. The token says where it is wrong if it is.
func (t tree) pair(d *draft, pair *ast.MappingValueNode) (*token.Token, error) {
	key := pair.Key.GetToken()
	if _, merges := pair.Key.(*ast.MergeKeyNode); merges {
		return key, errAnchored()
	}
	if !slices.Contains(t.keys, key.Value) {
		return key, unknownKey(key.Value, t.keys)
	}
	if list, ok := pair.Value.(*ast.SequenceNode); ok && key.Value == "exclusions" {
		return d.exclusions(list)
	}
	if bounds, ok := pairsOf(pair.Value); ok && key.Value == "budget" {
		return d.budget(bounds)
	}
	text, err := textOf(pair.Value)
	if err == nil {
		err = d.set(key.Value, text)
	}
	return pair.Value.GetToken(), err
}

func (d *draft) exclusions(list *ast.SequenceNode) (*token.Token, error) {
	for _, n := range list.Values {
		name, err := textOf(n)
		if err != nil {
			return n.GetToken(), err
		}
		d.spec.Exclusions = append(d.spec.Exclusions, name)
	}
	return nil, nil
}

func (d *draft) budget(bounds []*ast.MappingValueNode) (*token.Token, error) {
	d.spec.Budget = new(molecule.Budget)
	for _, bound := range bounds {
		key := bound.Key.GetToken()
		text, err := textOf(bound.Value)
		if err != nil {
			return bound.Value.GetToken(), err
		}
		if err := d.setBound(key.Value, text); err != nil {
			return key, err
		}
	}
	return nil, nil
}

// textOf returns the text of a value: which kind of value it is, its key knows.
func textOf(n ast.Node) (string, error) {
	invalid := func(hint, message string) error {
		return molecule.Errorf(molecule.Invalid, "%s", message).WithHint("%s", hint)
	}
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, nil
	case *ast.NullNode:
		return "", invalid("write its value, or leave the key out", "the key has no value")
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		return "", errAnchored()
	}
	return "", invalid("write a text", "a list or a mapping is nothing this key can have")
}

func errAnchored() error {
	return molecule.Errorf(molecule.Invalid, "anchors, aliases and tags are not read here").WithHint("write the value itself")
}
