package daemon

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/molecule-ai/molecli/config"
)

// durations is how a length of time is written.
const durations = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`

// configSchema returns the JSON schema of the configuration file, for editors: the
// fields of the struct, their defaults, what they may be and what the documented
// file says of them. Relations between settings are not in it.
func configSchema() ([]byte, error) {
	comments := yaml.CommentMap{}
	var doc any
	if err := yaml.UnmarshalWithOptions(config.Moleculed, &doc, yaml.CommentToMap(comments)); err != nil {
		return nil, fmt.Errorf("read the documented configuration: %w", err)
	}
	s := schema{comments: comments}
	root := s.section("", reflect.TypeFor[Config]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "moleculed.yaml"
	root["type"] = "object"
	text, err := json.MarshalIndent(root, "", "  ")
	return append(text, '\n'), err
}

// schema makes the parts of a schema.
type schema struct{ comments yaml.CommentMap }

// section describes a struct whose settings have a prefix. A section may be
// empty, which is null to YAML.
func (s schema) section(prefix string, t reflect.Type) map[string]any {
	properties := make(map[string]any)
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("yaml")
		if f.Type.Kind() == reflect.Struct {
			part := s.section(prefix+name+".", f.Type)
			s.describe(part, prefix+name)
			properties[name] = part
			continue
		}
		properties[name] = s.setting(prefix+name, f.Type)
	}
	return map[string]any{"type": []string{"object", "null"}, "additionalProperties": false, "properties": properties}
}

// setting describes one field.
func (s schema) setting(path string, t reflect.Type) map[string]any {
	out := map[string]any{}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		out["type"], out["pattern"] = "string", durations
	case t.Kind() == reflect.Pointer:
		out["type"] = []string{"string", "null"}
	case t.Kind() == reflect.Slice:
		out["type"], out["items"] = "array", map[string]any{"type": "string"}
	case t.Kind() == reflect.Bool:
		out["type"] = "boolean"
	case t.Kind() == reflect.Float64:
		out["type"] = "number"
	case t.Kind() == reflect.String:
		out["type"] = "string"
	default:
		out["type"] = "integer"
	}
	if allowed := choices()[path]; allowed != nil {
		out["enum"] = allowed
	}
	if b, ok := bounds()[path]; ok {
		out["minimum"], out["maximum"] = b[0], b[1]
	}
	out["default"] = writtenAs(valueAt(DefaultConfig(), path), t)
	s.describe(out, path)
	return out
}

// writtenAs returns a default the way a file has it.
func writtenAs(v any, t reflect.Type) any {
	switch v := v.(type) {
	case time.Duration:
		short := strings.TrimSuffix(v.String(), "m0s")
		if short != v.String() {
			short += "m"
		}
		if hours, ok := strings.CutSuffix(short, "h0m"); ok {
			short = hours + "h"
		}
		return short
	case *string:
		return nil // each of them is absent by default
	case nil:
		return reflect.MakeSlice(t, 0, 0).Interface() // of an empty list
	}
	return v
}

// describe adds what the documented file says above a setting or behind it.
func (s schema) describe(part map[string]any, path string) {
	var words []string
	for _, c := range s.comments["$."+path] {
		for _, text := range c.Texts {
			words = append(words, strings.Fields(text)...)
		}
	}
	if len(words) > 0 {
		part["description"] = strings.Join(words, " ")
	}
}
