package secretmap

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestRead_saysWhereAndWhatOfAllThatCannotBeRead(t *testing.T) {
	t.Parallel()
	const text = `secrets:
  - name: TOKEN
    class: minted
    rotate_evry: 90d
    grace: soon
    sinks:
      - {kind: file, target: {path: /run/token}, order: first}
      - [file]
    verify: {kind: http, alive: 200, url: "https://x", hedaers: {}}
    danger: none
    value: xyz
  - just a text
  - name: OTHER
    class: minted
    sinks: [{kind: file, target: {path: /run/other}}]
more: {}
`
	f, err := Read("m.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, found := range f.Lint() {
		if found.Rule == RuleUnreadable || found.Rule == RuleValue {
			got = append(got, f.Show(found)+"\n"+found.Hint)
		}
	}
	want := []string{
		"m.yaml:4:5: TOKEN: there is no key \"rotate_evry\"\n    rotate_evry: 90d\n    ^~~~~~~~~~~\ndid you mean rotate_every?",
		"m.yaml:5:12: TOKEN: grace: \"soon\" is no length of time\n    grace: soon\n           ^~~~\nwrite it as 90d, 36h or 1d12h",
		"m.yaml:7:57: TOKEN: order is no whole number\n      - {kind: file, target: {path: /run/token}, order: first}\n                                                        ^~~~~\nmolecli secrets map --sample shows how it is written",
		"m.yaml:8:9: TOKEN: sinks is no mapping\n      - [file]\n        ^\nmolecli secrets map --sample shows how it is written",
		"m.yaml:9:33: TOKEN: alive is no list\n    verify: {kind: http, alive: 200, url: \"https://x\", hedaers: {}}\n                                ^~~\nmolecli secrets map --sample shows how it is written",
		"m.yaml:9:56: TOKEN: there is no key \"hedaers\"\n    verify: {kind: http, alive: 200, url: \"https://x\", hedaers: {}}\n                                                       ^~~~~~~\ndid you mean headers?",
		"m.yaml:10:13: TOKEN: danger is no list\n    danger: none\n            ^~~~\nmolecli secrets map --sample shows how it is written",
		"m.yaml:11:5: TOKEN: a map holds no values: value has no place here\n    value: [sealed]\n    ^~~~~\n" +
			"take it out of every copy of this file, and change it: whoever read the file knows it",
		"m.yaml:12:5: this is no secret\n  - just a text\n    ^~~~~~~~~~~\nwrite each as - name: NAME, and below it its other keys",
		"m.yaml:16:1: there is no key \"more\"\nmore: {}\n^~~~\nthe only key here is secrets",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
}

func TestRead_refusesWhatIsNoMapAtAll(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing": "", "only comments": "# secrets\n", "not UTF-8": "secrets: \xff", "not YAML": "secrets: [", "a tab": "secrets:\n\t- name: A",
		"too deep": strings.Repeat("[", 100), "too large": "#" + strings.Repeat("x", MaxBytes), "a key twice": "secrets:\n  - {name: A, name: B}",
		"too many": "secrets:\n" + strings.Repeat("  - {name: A}\n", MaxSecrets+1),
	} {
		f, err := Read("m.yaml", text)
		code := molecule.CodeOf(err)
		if err == nil || code != molecule.Invalid && code != molecule.TooLarge || !strings.HasPrefix(err.Error(), "m.yaml") {
			t.Errorf("%s: got %+v, %v", name, f, err)
		}
	}
	for name, text := range map[string]string{"a text": "hello", "a mapping of something else": "schedules: []", "no list": "secrets: {}", "a number": "7"} {
		f, err := Read("m.yaml", text)
		if err != nil || len(f.Lint()) == 0 {
			t.Errorf("%s: nothing is wrong with it, %v", name, err)
		}
	}
}

// FuzzRead reads anything: whatever it is, reading and judging it ends, and each
// finding is somewhere.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{"secrets:\n  - name: A\n    class: x\n", "- {name: A, sinks: [1, {kind: 2}]}", "secrets: [{name: [], parts: [{name: {}}]}]", "a: &a [*a]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Read("f", text)
		if err != nil {
			return
		}
		for _, found := range file.Lint() {
			if file.Show(found) == "" || found.Message == "" {
				t.Errorf("%+v", found)
			}
		}
	})
}
