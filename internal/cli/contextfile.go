package cli

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// The keys of the file that are about contexts.
const (
	contextKey  = "context"
	contextsKey = "contexts"
)

// contextKeys returns what a context may say, in the order it is written.
func contextKeys() []string { return []string{"endpoint", "org", "token_file", "timeout"} }

// parseContexts reads what the file has under contexts.
func parseContexts(raw any) (map[string]map[string]any, error) {
	if raw == nil {
		return nil, nil // nothing there, or a key without anything under it
	}
	named, ok := raw.(map[string]any)
	if !ok {
		return nil, molecule.Errorf(molecule.Invalid, "contexts is no mapping").
			WithHint("write a name for each, and under it: %s", strings.Join(contextKeys(), ", "))
	}
	all := make(map[string]map[string]any, len(named))
	for name, value := range named {
		says, ok := value.(map[string]any)
		if !ok && value != nil {
			return nil, molecule.Errorf(molecule.Invalid, "context %s is no mapping", name).
				WithHint("it may say: %s", strings.Join(contextKeys(), ", "))
		}
		if err := judgeContext(name, says); err != nil {
			return nil, err
		}
		all[name] = maps.Clone(says)
		if says == nil {
			all[name] = map[string]any{}
		}
	}
	return all, nil
}

func judgeContext(name string, says map[string]any) error {
	for key, value := range says {
		if !slices.Contains(contextKeys(), key) {
			err := molecule.Errorf(molecule.Invalid, "context %s has no setting %q", name, key)
			if near := molecule.Nearest(key, contextKeys()); near != "" {
				return err.WithHint("did you mean %s?", near)
			}
			return err.WithHint("it may say: %s", strings.Join(contextKeys(), ", "))
		}
		if err := judgeSetting(key, value); err != nil {
			return within("context "+name, err)
		}
	}
	return nil
}

// has returns NotFound when the file has no such context; "" is none, and fine.
func (f fileConfig) has(name string) error {
	if _, ok := f.contexts[name]; ok || name == "" {
		return nil
	}
	err := molecule.Errorf(molecule.NotFound, "there is no context %q", name)
	if near := molecule.Nearest(name, slices.Sorted(maps.Keys(f.contexts))); near != "" {
		return err.WithHint("did you mean %s? molecli context list", near)
	}
	return err.WithHint("molecli context list")
}

// contextOf returns the name of the context that is in use: what flag or
// variable say, else the file. One that does not exist is NotFound, unless the
// command is there to make or mend it.
func (a *app) contextOf(file fileConfig) (string, error) {
	name, _ := file.settings[contextKey].(string)
	if t := a.typedValue(setting{key: contextKey}); t.HasChanged() {
		name = t.ValueString()
	}
	if a.anyContext {
		return name, nil
	}
	return name, file.has(name)
}

// writeContext sets what the file says of one context, and leaves its other
// lines, comments among them, as they are. Nil removes the context.
func writeContext(path, name string, says map[string]any) error {
	raw, err := readPrivate(path)
	if err != nil {
		return err
	}
	before, err := parseConfig(path, raw)
	if err != nil {
		return err
	}
	lines, err := contextLines(name, says)
	if err != nil {
		return err
	}
	text := editContext(string(raw), name, lines)
	after, err := parseConfig(path, []byte(text))
	if err != nil || !reflect.DeepEqual(after, before.with(name, says)) {
		return molecule.Errorf(molecule.Invalid, "the contexts in %s are written in a way that cannot be changed from here", path).
			WithHint("write each on lines of its own below contexts:, indented, or change the file by hand")
	}
	return replaceFile(path, text)
}

// with returns what the file says once a context says this.
func (f fileConfig) with(name string, says map[string]any) fileConfig {
	contexts := maps.Clone(f.contexts)
	if contexts == nil {
		contexts = map[string]map[string]any{}
	}
	contexts[name] = says
	if says == nil {
		delete(contexts, name)
	}
	if len(contexts) == 0 {
		contexts = nil
	}
	return fileConfig{settings: f.settings, contexts: contexts}
}

// contextLines writes a context as it stands below contexts; nothing for nil.
func contextLines(name string, says map[string]any) ([]string, error) {
	if says == nil {
		return nil, nil
	}
	quoted, err := yaml.Marshal(name)
	if err != nil {
		return nil, molecule.Errorf(molecule.Invalid, "%q cannot be written", name).WithCause(err)
	}
	lines := []string{strings.TrimSpace(string(quoted)) + ":"}
	for _, key := range contextKeys() {
		value, ok := says[key]
		if !ok {
			continue
		}
		s, err := settingOf(key)
		if err != nil {
			return nil, err
		}
		line, err := settingLine(s, fmt.Sprint(value))
		if err != nil {
			return nil, err
		}
		lines = append(lines, "  "+line)
	}
	return lines, nil
}

// editContext returns text with the lines of one context replaced, or with
// them added where it has none. It knows blocks, not every way of YAML: whoever
// calls it reads the result again.
func editContext(text, name string, lines []string) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if text == "" {
		all = nil
	}
	start := slices.IndexFunc(all, func(l string) bool { return strings.HasPrefix(l, contextsKey+":") })
	if start < 0 {
		start, all = len(all), append(all, contextsKey+":")
	}
	end, indent := blockEnd(all, start, 0), 2
	if first := slices.IndexFunc(all[start+1:end], says); first >= 0 {
		indent = indentOf(all[start+1+first])
	}
	from, to := end, end
	for i := start + 1; i < end; i++ {
		key, _, _ := strings.Cut(strings.TrimSpace(all[i]), ":")
		if says(all[i]) && indentOf(all[i]) == indent && strings.Trim(key, `"'`) == name {
			from, to = i, blockEnd(all, i, indent)
		}
	}
	for i, l := range lines {
		lines[i] = strings.Repeat(" ", indent) + l
	}
	return strings.Join(slices.Concat(all[:from], lines, all[to:]), "\n") + "\n"
}

// blockEnd returns behind which line the block ends that the line at start
// begins: what is indented further belongs to it, with blank lines and comments
// between.
func blockEnd(all []string, start, indent int) int {
	end := start + 1
	for i := start + 1; i < len(all); i++ {
		switch {
		case !says(all[i]):
		case indentOf(all[i]) <= indent:
			return end
		default:
			end = i + 1
		}
	}
	return end
}

// says reports whether a line is more than blanks or a comment.
func says(line string) bool {
	line = strings.TrimSpace(line)
	return line != "" && line[0] != '#'
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
