package config

import (
	"strings"
	"testing"
)

func TestMoleculed_saysWhatEachSettingIs(t *testing.T) {
	t.Parallel()
	before := ""
	for i, line := range strings.Split(strings.TrimSpace(string(Moleculed)), "\n") {
		key, _, isSetting := strings.Cut(strings.TrimSpace(line), ":")
		section := strings.HasSuffix(line, ":")
		if isSetting && !section && !strings.HasPrefix(key, "#") && !strings.Contains(line, " # ") && !strings.HasPrefix(strings.TrimSpace(before), "#") {
			t.Errorf("line %d: nothing says what %s is", i+1, key)
		}
		if strings.Contains(line, "\t") || len(line) > 120 {
			t.Errorf("line %d has a tab or is too long: %s", i+1, line)
		}
		before = line
	}
}
