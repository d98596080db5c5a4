package molecule

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLifetime_isReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	const hour = Lifetime(time.Hour)
	for text, want := range map[string]Lifetime{
		"90d": 90 * 24 * hour, "36h": 36 * hour, "1d12h": 36 * hour, "0s": 0, "15m": hour / 4, "1d30m": 24*hour + hour/2,
	} {
		got, err := ParseLifetime(text)
		if err != nil || got != want {
			t.Errorf("%q is %v, %v, want %v", text, got, err, want)
		}
		again, err := ParseLifetime(got.String())
		if err != nil || again != got {
			t.Errorf("%q is written %q, and read %v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "90", "d", "-1d", "1d-1h", "1.5d", "99999d", "1d1d", "-1h", "36600d900000h"} {
		if got, err := ParseLifetime(text); CodeOf(err) != Invalid || HintOf(err) == "" {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}

func TestSecretMap_allHasPartsFirstAndSinksInOrder(t *testing.T) {
	t.Parallel()
	file := func(path string, order int) SinkSpec {
		return SinkSpec{Kind: "file", Target: map[string]string{"path": path}, Order: order}
	}
	m := SecretMap{Secrets: []MappedSecret{{
		Name: "URL", Class: SecretDerived, Template: "x${PASSWORD}", Sinks: []SinkSpec{file("/a", 0)},
		Parts: []MappedSecret{{Name: "PASSWORD", Class: SecretGenerated, Sinks: []SinkSpec{file("/c", 9), file("/b", 0), file("/d", 1)}}},
	}}}
	var got []string
	for _, s := range m.All() {
		got = append(got, s.Name+" "+string(s.Overlap)+" "+s.PartOf)
	}
	if diff := cmp.Diff(got, []string{"PASSWORD dual URL", "URL dual "}); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
	part, ok := m.Secret("PASSWORD")
	if !ok || !part.Coupled() {
		t.Fatalf("got %+v, %v", part, ok)
	}
	var paths []string
	for _, k := range part.Sinks {
		paths = append(paths, k.Target["path"])
	}
	if !slices.Equal(paths, []string{"/d", "/b", "/c"}) {
		t.Errorf("the sinks are written in the order %v", paths)
	}
	if m.Secrets[0].Parts[0].Sinks[0].Target["path"] != "/c" {
		t.Error("the map itself was reordered")
	}
}

func TestMappedSecret_refusesWhatIsNoEntry(t *testing.T) {
	t.Parallel()
	whole := func() MappedSecret {
		return MappedSecret{
			Name: "TOKEN", Class: SecretMinted, Sinks: []SinkSpec{{Kind: "github", Target: map[string]string{"repo": "acme/x"}}},
			Verify: &Probe{Kind: ProbeHTTP, URL: "https://api.example.com"}, Generator: &Generator{Kind: GenerateHex, Length: 32},
			Dangers: []Danger{{Rule: DangerSelf, Text: "it opens its own door"}},
		}
	}
	if err := whole().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*MappedSecret){
		"no name":                  func(s *MappedSecret) { s.Name = "" },
		"a name with a blank":      func(s *MappedSecret) { s.Name = "A B" },
		"a name that is a number":  func(s *MappedSecret) { s.Name = "1" },
		"no class":                 func(s *MappedSecret) { s.Class = "" },
		"a class that is none":     func(s *MappedSecret) { s.Class = "mint" },
		"an overlap that is none":  func(s *MappedSecret) { s.Overlap = "both" },
		"a policy that is none":    func(s *MappedSecret) { s.Policy = "sometimes" },
		"no sinks":                 func(s *MappedSecret) { s.Sinks = nil },
		"a sink of no kind":        func(s *MappedSecret) { s.Sinks[0].Kind = "githob" },
		"a sink without a target":  func(s *MappedSecret) { s.Sinks[0].Target = nil },
		"a target of another kind": func(s *MappedSecret) { s.Sinks[0].Target["path"] = "/x" },
		"an activation of none":    func(s *MappedSecret) { s.Sinks[0].Activation = "later" },
		"a danger without a text":  func(s *MappedSecret) { s.Dangers[0].Text = "" },
		"a danger of no rule":      func(s *MappedSecret) { s.Dangers[0].Rule = "bad" },
		"a probe without a kind":   func(s *MappedSecret) { s.Verify.Kind = "" },
		"a probe without a url":    func(s *MappedSecret) { s.Verify.URL = "" },
		"a probe of no kind":       func(s *MappedSecret) { s.Verify.Kind = "htpp" },
		"a probe without command":  func(s *MappedSecret) { s.Revoke = &Probe{Kind: ProbeExec} },
		"a probe that undoes it":   func(s *MappedSecret) { s.Verify.Undo = &Probe{} },
		"nothing for a person":     func(s *MappedSecret) { s.Revoke = &Probe{Kind: ProbeNone} },
		"a generator of no kind":   func(s *MappedSecret) { s.Generator.Kind = "dice" },
		"a generator of too much":  func(s *MappedSecret) { s.Generator.Length = 5000 },
	} {
		s := whole()
		change(&s)
		if err := s.Validate(); CodeOf(err) != Invalid || HintOf(err) == "" && name != "a generator of too much" {
			t.Errorf("%s: got error %v, hint %q", name, err, HintOf(err))
		}
	}
}

func TestMappedSecret_saysWhyItIsNotRotated(t *testing.T) {
	t.Parallel()
	for _, s := range []MappedSecret{
		{Class: SecretDerived}, {Class: SecretLiteral}, {Class: SecretAuto}, {Class: SecretMinted, Policy: RotateNever},
	} {
		if err := s.Rotatable(); CodeOf(err) != Conflict || HintOf(err) == "" {
			t.Errorf("%+v: got error %v", s, err)
		}
	}
	for _, class := range []SecretClass{SecretMinted, SecretGenerated, SecretConfig, SecretRoot} {
		if err := (MappedSecret{Class: class, Policy: RotateOnIncident}).Rotatable(); err != nil {
			t.Errorf("%s: %v", class, err)
		}
	}
}
