package secretmap

import (
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/textfile"
)

// other is what to do when nothing better is known.
const other = "molecli secrets map --sample shows how it is written"

// decoder reads the nodes of one secret into its fields, by their names on the
// wire. It goes on behind whatever cannot be read, so that one mistake does not
// hide another.
type decoder struct {
	*File
	secret string
}

// value reads the value of a key.
func (d decoder) value(key string, n ast.Node, into reflect.Value) {
	if u, ok := into.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if text, ok := d.text(key, n); ok {
			if err := u.UnmarshalText([]byte(text)); err != nil {
				d.fault(RuleUnreadable, d.secret, n, key+": "+err.Error(), molecule.HintOf(err))
			}
		}
		return
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		d.value(key, n, into.Elem())
	case reflect.Struct:
		d.object(key, n, into)
	case reflect.Slice:
		d.items(key, n, into)
	case reflect.Map:
		d.texts(key, n, into)
	default:
		d.scalar(key, n, into)
	}
}

func (d decoder) object(key string, n ast.Node, into reflect.Value) {
	pairs, ok := pairsOf(n)
	if !ok {
		d.isNo(key, n, "mapping")
		return
	}
	for _, pair := range pairs {
		name := pair.Key.GetToken().Value
		i := slices.Index(keysOf(into.Type()), name)
		if i < 0 {
			d.unknownKey(name, pair.Key, into.Type())
			continue
		}
		d.value(name, pair.Value, into.Field(i))
	}
}

func (d decoder) items(key string, n ast.Node, into reflect.Value) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		d.isNo(key, n, "list")
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(list.Values), len(list.Values)))
	for i, item := range list.Values {
		d.value(key, item, into.Index(i))
	}
}

func (d decoder) texts(key string, n ast.Node, into reflect.Value) {
	pairs, ok := pairsOf(n)
	if !ok {
		d.isNo(key, n, "mapping")
		return
	}
	into.Set(reflect.MakeMap(into.Type()))
	for _, pair := range pairs {
		name := pair.Key.GetToken().Value
		if text, ok := d.text(name, pair.Value); ok {
			into.SetMapIndex(reflect.ValueOf(name), reflect.ValueOf(text))
		}
	}
}

func (d decoder) scalar(key string, n ast.Node, into reflect.Value) {
	text, ok := d.text(key, n)
	if !ok {
		return
	}
	switch into.Kind() {
	case reflect.Int:
		v, err := strconv.Atoi(text)
		if err != nil {
			d.isNo(key, n, "whole number")
		}
		into.SetInt(int64(v))
	case reflect.Bool:
		if text != "true" && text != "false" {
			d.isNo(key, n, "true or false")
		}
		into.SetBool(text == "true")
	default:
		into.SetString(text)
	}
}

// text reads a value that is one text, number or truth.
func (d decoder) text(key string, n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	case *ast.NullNode:
		d.fault(RuleUnreadable, d.secret, n, key+" has no value", "write one, or leave the key out")
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		d.fault(RuleUnreadable, d.secret, n, "anchors, aliases and tags are not read here", "write the value itself")
	default:
		d.isNo(key, n, "text")
	}
	return "", false
}

func (d decoder) isNo(key string, n ast.Node, kind string) {
	d.fault(RuleUnreadable, d.secret, n, cmp.Or(key, "this")+" is no "+kind, other)
}

// unknownKey tells of a key there is not, and of one that would hold a value.
func (d decoder) unknownKey(key string, at ast.Node, of reflect.Type) {
	key = molecule.Excerpt(textfile.Printable(key), 40)
	if slices.Contains([]string{"value", "secret", "password", "token"}, strings.ToLower(key)) {
		d.fault(RuleValue, d.secret, at, "a map holds no values: "+key+" has no place here",
			"take it out of every copy of this file, and change it: whoever read the file knows it")
		return
	}
	known := slices.DeleteFunc(keysOf(of), func(k string) bool { return k == "" })
	hint := "here can stand " + strings.Join(known, ", ")
	if near := molecule.Nearest(key, known); near != "" {
		hint = "did you mean " + near + "?"
	}
	d.fault(RuleUnreadable, d.secret, at, fmt.Sprintf("there is no key %q", key), hint)
}

// keysOf returns the names of the fields of a struct on the wire, in their
// order; "" for one that is not there.
func keysOf(t reflect.Type) []string {
	all := make([]string, t.NumField())
	for i := range all {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "-" {
			all[i] = name
		}
	}
	return all
}
