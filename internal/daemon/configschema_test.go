package daemon

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConfigSchema_isTheFileWeShip(t *testing.T) {
	t.Parallel()
	want, err := configSchema()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join("..", "..", "config", "moleculed.schema.json"))
	if diff := cmp.Diff(string(got), string(want)); err != nil || diff != "" {
		t.Errorf("moleculed check-config --schema > config/moleculed.schema.json\n%v (-file +struct):\n%s", err, diff)
	}
}

// node is a part of a schema.
type node struct {
	Description string          `json:"description"`
	Default     json.RawMessage `json:"default"`
	Closed      *bool           `json:"additionalProperties"`
	Properties  map[string]node `json:"properties"`
}

func TestConfigSchema_hasEachSettingWithItsDefaultAndWords(t *testing.T) {
	t.Parallel()
	text, err := configSchema()
	if err != nil {
		t.Fatal(err)
	}
	var root node
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	def := map[string]any{}
	for _, path := range settingPaths() {
		at := root
		for name := range strings.SplitSeq(path, ".") {
			if at.Closed == nil || *at.Closed {
				t.Errorf("%s: a section above it takes any key", path)
			}
			at = at.Properties[name]
		}
		if at.Description == "" && !strings.HasPrefix(path, "retention.") || at.Default == nil {
			t.Errorf("%s: described as %q, default %s", path, at.Description, at.Default)
		}
		setIn(def, path, at.Default)
	}
	file, err := json.Marshal(def) // which is YAML, too
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := load(t, string(file))
	if diff := cmp.Diff(cfg, DefaultConfig()); err != nil || diff != "" {
		t.Errorf("a file of the defaults in the schema, %v (-got +want):\n%s", err, diff)
	}
}

// setIn sets the value at a path of nested sections.
func setIn(section map[string]any, path string, value json.RawMessage) {
	name, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		section[name] = value
		return
	}
	if section[name] == nil {
		section[name] = map[string]any{}
	}
	inner, _ := section[name].(map[string]any)
	setIn(inner, rest, value)
}

func TestTables_nameSettingsOfTheirType(t *testing.T) {
	t.Parallel()
	for path := range choices() {
		if k := reflect.TypeOf(valueAt(DefaultConfig(), path)); k.Kind() != reflect.String {
			t.Errorf("choices: %s is a %s", path, k)
		}
	}
	for path := range bounds() {
		if k := reflect.TypeOf(valueAt(DefaultConfig(), path)); k.Kind() != reflect.Int {
			t.Errorf("bounds: %s is a %s", path, k)
		}
	}
}
