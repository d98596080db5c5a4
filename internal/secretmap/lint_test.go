package secretmap

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// TestLint_findsEachOfTwentyPlantedMistakes reads a copy of the sample in which
// each line with a mistake names the rule that has to find it.
func TestLint_findsEachOfTwentyPlantedMistakes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/broken.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var planted []string
	for i, line := range strings.Split(string(text), "\n") {
		for _, rule := range strings.Split(line, "mistake: ")[1:] {
			rule, _, _ = strings.Cut(rule, ",")
			planted = append(planted, fmt.Sprintf("%d %s", i+1, rule))
		}
	}
	if len(planted) != 20 {
		t.Fatalf("%d mistakes are planted, want 20", len(planted))
	}
	f, err := Read("broken.yaml", string(text))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, got := range f.Lint() {
		found = append(found, fmt.Sprintf("%d %s", got.Line, got.Rule))
		if got.Hint == "" || !strings.Contains(f.Show(got), "\n") {
			t.Errorf("it does not say where it is, or what to do:\n%s\n%s", f.Show(got), got.Hint)
		}
	}
	slices.Sort(planted)
	slices.Sort(found)
	if diff := cmp.Diff(found, planted); diff != "" {
		t.Errorf("found, planted:\n%s", diff)
	}
}

// whole is a map in which nothing is wrong.
func whole() molecule.SecretMap {
	probe := func() *molecule.Probe {
		return &molecule.Probe{
			Kind: molecule.ProbeHTTP, URL: "https://api.example.com/me", Headers: map[string]string{"Authorization": "Bearer ${value}"},
			Alive: []int{200}, Dead: []int{401},
		}
	}
	file := func(path string) []molecule.SinkSpec {
		return []molecule.SinkSpec{{Kind: "file", Target: map[string]string{"path": path}}}
	}
	return molecule.SecretMap{Secrets: []molecule.MappedSecret{
		{
			Name: "TOKEN", Owner: "us", Class: molecule.SecretMinted, RotateEvery: 1, Sinks: file("/run/token"), Verify: probe(),
			Revoke: &molecule.Probe{Kind: molecule.ProbeNone, Text: "revoke it"}, User: "NAME",
		},
		{
			Name: "NAME", Owner: "us", Class: molecule.SecretLiteral, Literal: "x", Policy: molecule.RotateNever, Sinks: file("/run/name"),
			Dangers: []molecule.Danger{{Rule: molecule.DangerExactValue, Text: "it is x", Evidence: "401"}},
		},
		{
			Name: "URL", Owner: "us", Class: molecule.SecretDerived, Policy: molecule.RotateOnIncident, Template: "https://${PASSWORD:url}@example.com", Sinks: file("/run/url"),
			Parts: []molecule.MappedSecret{{
				Name: "PASSWORD", Owner: "us", Class: molecule.SecretGenerated, Policy: molecule.RotateOnIncident, Sinks: file("/run/password"),
				Generator: &molecule.Generator{Kind: molecule.GenerateHex},
			}},
		},
	}}
}

func TestLint_hasNothingToSayOfAMapThatIsWhole(t *testing.T) {
	t.Parallel()
	for _, found := range Lint(whole()) {
		t.Errorf("%s %s %s: %s", found.Rule, found.Secret, found.Field, found.Message)
	}
}

func TestLint_findsWhatEachRuleIsAbout(t *testing.T) {
	t.Parallel()
	const token, name, url = 0, 1, 2
	type S = molecule.MappedSecret
	tests := []struct {
		rule, field string
		of          int
		change      func(s *S)
	}{
		{RuleNotValid, "overlap", token, func(s *S) { s.Overlap = "both" }},
		{RuleNotValid, "sinks", token, func(s *S) { s.Sinks = nil }},
		{RuleNotValid, "sinks[0]", token, func(s *S) { s.Sinks[0].Target = nil }},
		{RuleUnknown, "user", token, func(s *S) { s.User = "NAM" }},
		{RuleUnknown, "sinks[0].credential", token, func(s *S) { s.Sinks[0].Credential = "ANOTHER" }},
		{RuleUnknown, "verify.headers.Authorization", token, func(s *S) { s.Verify.Headers["Authorization"] = "Bearer ${value} ${ANOTHER}" }},
		{RuleTemplate, "template", url, func(s *S) { s.Template = "https://${PASSWORD:url" }},
		{RuleTemplate, "template", url, func(s *S) { s.Template = "${PASSWORD:rot13}" }},
		{RuleTemplate, "template", url, func(s *S) { s.Template = "${PASSWORD}${value}" }},
		{RuleTemplate, "template", url, func(s *S) { s.Template = "${}${PASSWORD}" }},
		{RuleTemplate, "template", url, func(s *S) { s.Template = "nothing of it" }},
		{RuleTemplate, "verify.body", token, func(s *S) { s.Verify.Body = "${answer.id}" }},
		{RuleCycle, "template", url, func(s *S) { s.Template = "${URL}" }},
		{RuleClassNeeds, "class", url, func(s *S) { s.Template = "" }},
		{RuleClassNeeds, "literal", token, func(s *S) { s.Literal = "x" }},
		{RuleClassNeeds, "generator", token, func(s *S) { s.Generator = &molecule.Generator{Kind: molecule.GenerateHex} }},
		{RuleWindow, "window", token, func(s *S) { s.Window = 5 }},
		{RuleUserName, "user", token, func(s *S) { s.User = "PASSWORD" }},
		{RuleUserName, "sinks[0].target.user", token, func(s *S) {
			s.Sinks = []molecule.SinkSpec{{Kind: "htpasswd", Target: map[string]string{"path": "/p", "user": "y"}}}
		}},
		{RuleURL, "template", url, func(s *S) { s.Template = "https://${PASSWORD}@example.com" }},
		{RuleExposed, "verify.url", token, func(s *S) { s.Verify.URL = "https://api.example.com/${value:url}" }},
		{RuleExposed, "verify.url", token, func(s *S) { s.Verify.URL = "http://api.example.com/" }},
		{RuleExposed, "revoke.command[1]", token, func(s *S) {
			s.Revoke = &molecule.Probe{Kind: molecule.ProbeExec, Command: []string{"revoke", "${value}"}}
		}},
		{RuleExposed, "sinks[0].target.url", token, func(s *S) {
			s.Sinks = []molecule.SinkSpec{{Kind: "webhook", Target: map[string]string{"url": "http://example.com"}}}
		}},
		{RuleUnproven, "name", token, func(s *S) {
			s.Verify, s.Sinks = nil, []molecule.SinkSpec{{Kind: "github", Target: map[string]string{"org": "acme"}}}
		}},
		{RuleUnproven, "verify.kind", token, func(s *S) { s.Verify = &molecule.Probe{Kind: molecule.ProbeNone, Text: "look"} }},
		{RuleControl, "verify", token, func(s *S) { s.Verify.Headers = nil }},
		{RuleControl, "verify", token, func(s *S) { s.Verify.Alive = nil }},
		{RuleControl, "verify", token, func(s *S) { s.Verify.Dead = nil }},
		{RuleControl, "verify.dead", token, func(s *S) { s.Verify.Dead = []int{200} }},
		{RuleNeverRevoked, "name", token, func(s *S) { s.Revoke = nil }},
		{RuleRotation, "name", token, func(s *S) { s.RotateEvery = 0 }},
		{RuleRotation, "policy", token, func(s *S) { s.Policy = molecule.RotateNever }},
		{RuleRotation, "policy", token, func(s *S) { s.RotateEvery, s.Policy = 0, molecule.RotateAuto }},
		{RuleRotation, "policy", name, func(s *S) { s.Policy = molecule.RotateAuto }},
		{RuleRotation, "rotate_every", name, func(s *S) { s.Policy, s.RotateEvery = "", 1 }},
		{RuleOwner, "name", token, func(s *S) { s.Owner = "" }},
		{RuleSamePlace, "sinks[0]", name, func(s *S) { s.Sinks[0].Target["path"] = "/run/token" }},
		{RulePath, "sinks[0].target.path", token, func(s *S) { s.Sinks[0].Target["path"] = "run/token" }},
		{RuleDanger, "name", name, func(s *S) { s.Dangers = nil }},
		{RuleEvidence, "danger[0]", name, func(s *S) { s.Dangers[0].Evidence = "" }},
		{RuleEmpty, "may_be_empty", token, func(s *S) {
			s.MayBeEmpty, s.Dangers = true, []molecule.Danger{{Rule: molecule.DangerSilentFailure, Text: "t", Evidence: "e"}}
		}},
		{RuleOrder, "sinks[1].order", token, func(s *S) {
			s.Sinks = []molecule.SinkSpec{
				{Kind: "file", Target: map[string]string{"path": "/a"}, Order: 1}, {Kind: "file", Target: map[string]string{"path": "/b"}, Order: 1},
			}
			s.Dangers = []molecule.Danger{{Rule: molecule.DangerCoupledOrder, Text: "t", Evidence: "e"}}
		}},
	}
	for _, tt := range tests {
		m := whole()
		tt.change(&m.Secrets[tt.of])
		var got []string
		for _, f := range Lint(m) {
			got = append(got, f.Rule+" "+f.Secret+" "+f.Field)
		}
		if diff := cmp.Diff(got, []string{tt.rule + " " + m.Secrets[tt.of].Name + " " + tt.field}); diff != "" {
			t.Errorf("%s %s (-got +want):\n%s", tt.rule, tt.field, diff)
		}
	}
}

func TestRules_eachSaysWhatItIsAbout(t *testing.T) {
	t.Parallel()
	for _, r := range Rules() {
		if r.About == "" || (Finding{Rule: r.ID}).Breaks() != r.Breaks {
			t.Errorf("%+v", r)
		}
	}
	if !(Finding{Rule: "another"}).Breaks() {
		t.Error("a rule nobody knows breaks nothing")
	}
}
