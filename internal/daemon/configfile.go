package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/printer"
	"github.com/goccy/go-yaml/token"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/textfile"
)

// configDepth is how deep lists and sections may stand in the file: two is
// what there is.
const configDepth = 8

// showSettings is where somebody finds the right name or the right form.
const showSettings = "every setting is in: moleculed check-config --show"

// configFile is a file of settings; without text it says nothing.
type configFile struct {
	path string
	text []byte
}

// decode reads the file over cfg. It takes keys nobody knows: those are all
// told by unknown.
func (f configFile) decode(cfg *Config) error {
	err := yaml.NewDecoder(bytes.NewReader(f.text)).Decode(cfg)
	if err != nil && !errors.Is(err, io.EOF) { // a file of comments only has no document
		return f.refused(err)
	}
	cfg.fill(DefaultConfig())
	return nil
}

// position is how the YAML library begins a message: [line:col].
var position = regexp.MustCompile(`^\[(\d+):(\d+)\] `)

// refused turns the library's message into file:line:col and a caret.
func (f configFile) refused(err error) error {
	said := strings.TrimRight(yaml.FormatError(err, false, true), "\n")
	if m := position.FindStringSubmatch(said); m != nil {
		said = fmt.Sprintf("%s:%s:%s: %s", f.path, m[1], m[2], said[len(m[0]):])
		return molecule.Errorf(molecule.Invalid, "%s", said).WithHint("%s", showSettings)
	}
	if at := f.quoted(said); at != nil {
		return f.pointing(at, "%s", said).WithHint("%s", showSettings)
	}
	return molecule.Errorf(molecule.Invalid, "%s: %s", f.path, said).WithHint("%s", showSettings)
}

// quoted finds the value that a message quotes and does not place, which is
// how the library complains of a duration.
func (f configFile) quoted(said string) *token.Token {
	for _, path := range settingPaths() {
		if node := f.node(path); node != nil && strings.Contains(said, strconv.Quote(node.String())) {
			return node.GetToken()
		}
	}
	return nil
}

// node returns the value at a path, nil when the file has none.
func (f configFile) node(path string) ast.Node {
	at, err := yaml.PathString("$." + path)
	if err != nil {
		return nil
	}
	node, err := at.ReadNode(bytes.NewReader(f.text))
	if err != nil {
		return nil
	}
	return node
}

// pointing makes an error that says where in the file and shows the place.
func (f configFile) pointing(at *token.Token, format string, args ...any) *molecule.Error {
	var p printer.Printer
	return molecule.Errorf(molecule.Invalid, "%s:%d:%d: %s\n%s", f.path, at.Position.Line, at.Position.Column,
		fmt.Sprintf(format, args...), strings.TrimRight(p.PrintErrorToken(at, false), "\n"))
}

// unknown returns an error for each key that is no setting. A file that is no
// YAML has none: decode says what is wrong with it.
func (f configFile) unknown() (wrong []error) {
	file, err := textfile.Parse(string(f.text), configDepth)
	if err != nil {
		return nil
	}
	for _, doc := range file.Docs {
		wrong = append(wrong, f.unknownIn("", doc.Body)...)
	}
	return wrong
}

// unknownIn returns an error for each key below a node that is no setting.
func (f configFile) unknownIn(prefix string, node ast.Node) (wrong []error) {
	paths := settingPaths()
	for _, v := range pairs(node) {
		key := v.Key.GetToken().Value
		path := prefix + key
		isSection := slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(p, path+".") })
		switch {
		case isSection:
			wrong = append(wrong, f.unknownIn(path+".", v.Value)...)
		case !slices.Contains(paths, path):
			wrong = append(wrong, f.pointing(v.Key.GetToken(), "unknown field %q", key).WithHint("%s", cureOf(prefix, key)))
		}
	}
	return wrong
}

// pairs returns what a mapping holds; other nodes hold nothing.
func pairs(node ast.Node) []*ast.MappingValueNode {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

// secretWord is what keys are called that hold a secret.
var secretWord = regexp.MustCompile(`(?i)(token|secret|password|passwd|master_key|api_key|private_key|credential)`)

// cureOf says what to do about a key that is no setting of its section.
func cureOf(section, key string) string {
	var here []string
	for _, path := range settingPaths() {
		if strings.HasSuffix(path, "."+key) {
			return "did you mean " + path + "? " + showSettings
		}
		if name, ok := strings.CutPrefix(path, section); ok {
			name, _, _ = strings.Cut(name, ".")
			here = append(here, name)
		}
	}
	if secretWord.MatchString(key) {
		return "take it out: no setting holds a secret; molecli token add makes tokens, and secrets.master_key names a file"
	}
	if meant := molecule.Nearest(key, here); meant != "" {
		return "did you mean " + meant + "? " + showSettings
	}
	return showSettings
}

// settingPaths returns the path of every setting, from the struct itself.
func settingPaths() []string { return pathsOf("", reflect.TypeFor[Config]()) }

func pathsOf(prefix string, t reflect.Type) (all []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		path := prefix + f.Tag.Get("yaml")
		if f.Type.Kind() == reflect.Struct {
			all = append(all, pathsOf(path+".", f.Type)...)
			continue
		}
		all = append(all, path)
	}
	return all
}

// joined makes one error of several, each with its hint; nil of none.
func joined(wrong []error) error {
	if len(wrong) <= 1 {
		return errors.Join(wrong...)
	}
	var b strings.Builder
	for i, err := range wrong {
		if i > 0 {
			b.WriteString("\n✗ ")
		}
		b.WriteString(err.Error())
		if hint := molecule.HintOf(err); hint != "" && i < len(wrong)-1 {
			b.WriteString("\ntry: " + hint)
		}
	}
	return molecule.Errorf(molecule.Invalid, "%s", b.String()).WithHint("%s", molecule.HintOf(wrong[len(wrong)-1]))
}
