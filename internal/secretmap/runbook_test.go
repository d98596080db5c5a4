package secretmap

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// TestRunbook_ofTheFlyTokenIsAPage compares the page with one that was read;
// UPDATE_RUNBOOK=1 writes it anew, to be read again.
func TestRunbook_ofTheFlyTokenIsAPage(t *testing.T) {
	t.Parallel()
	p, err := Runbook(sample(t).Map, "FLY_API_TOKEN")
	if err != nil {
		t.Fatal(err)
	}
	const page = "testdata/FLY_API_TOKEN.md"
	if os.Getenv("UPDATE_RUNBOOK") != "" {
		if err := os.WriteFile(page, []byte(p.Text()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if diff := cmp.Diff(p.Text(), string(want)); err != nil || diff != "" {
		t.Errorf("%v (-got +want):\n%s", err, diff)
	}
}

// everyKind is a map with a secret in a sink of each kind, made in each way.
func everyKind() molecule.SecretMap {
	var m molecule.SecretMap
	for _, k := range molecule.SinkKinds() {
		target := make(map[string]string)
		for _, key := range append(k.Required, k.Optional...) {
			name, _, _ := strings.Cut(key, "|")
			target[name] = "it's a-" + name
		}
		m.Secrets = append(m.Secrets, molecule.MappedSecret{
			Name: "IN_" + k.Name, Class: molecule.SecretMinted, Sinks: []molecule.SinkSpec{{Kind: k.Name, Target: target, Template: "x ${value}"}, {Kind: k.Name, Target: target}},
		})
	}
	for _, g := range molecule.GeneratorKinds() {
		m.Secrets = append(m.Secrets, molecule.MappedSecret{Name: "AS_" + string(g), Class: molecule.SecretGenerated, Generator: &molecule.Generator{Kind: g}, Sinks: m.Secrets[0].Sinks})
	}
	for _, o := range molecule.SecretOverlaps() {
		m.Secrets = append(m.Secrets, molecule.MappedSecret{Name: "AT_" + string(o), Class: molecule.SecretMinted, Overlap: o, Sinks: m.Secrets[0].Sinks})
	}
	return m
}

// commandsOf returns all that is to be typed.
func commandsOf(p Procedure) []string {
	var all []string
	for _, s := range p.Steps {
		all = append(all, s.Commands...)
	}
	for _, line := range p.Back {
		if strings.HasPrefix(line, "  ") {
			all = append(all, line)
		}
	}
	return all
}

func TestRunbook_everyCommandIsOneAShellReads(t *testing.T) {
	t.Parallel()
	for _, m := range []molecule.SecretMap{sample(t).Map, everyKind()} {
		for _, s := range m.All() {
			p, err := Runbook(m, s.Name)
			if err != nil {
				t.Fatal(err)
			}
			script := strings.Join(commandsOf(p), "\n")
			if out, err := exec.CommandContext(t.Context(), "bash", "-nc", script).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s\n%s", s.Name, err, out, script)
			}
		}
	}
}

func TestRunbook_saysOfEachClassAndOverlapWhereThereIsNoReturn(t *testing.T) {
	t.Parallel()
	m := sample(t).Map
	for name, want := range map[string]string{
		"FLY_API_TOKEN": "End the old value", "STRIPE_API_KEY": "Make a new value", "SECRETS_ENCRYPTION_KEY": "Destroy the old key, when nothing is under it",
		"DATABASE_URL": "End the old part", "REGISTRY_USER": "", "GITHUB_TOKEN": "", "DATABASE_PASSWORD": "",
	} {
		p, err := Runbook(m, name)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if p.NoReturn > 0 {
			got = p.Steps[p.NoReturn-1].Title
		}
		if got != want || strings.Contains(p.Text(), "point of no return") != (want != "") {
			t.Errorf("%s: no return from %q on, want %q", name, got, want)
		}
	}
	if _, err := Runbook(m, "FLY_API_TOKN"); molecule.CodeOf(err) != molecule.NotFound || !strings.Contains(molecule.HintOf(err), "FLY_API_TOKEN") {
		t.Errorf("got error %v, %s", err, molecule.HintOf(err))
	}
}

// TestRunbook_theShellMakesTheURLThatRenderMakes types the command that puts a
// URL together.
func TestRunbook_theShellMakesTheURLThatRenderMakes(t *testing.T) {
	t.Parallel()
	const template = `a\b %s ${A}:${B:base64}`
	dir := t.TempDir()
	for name, value := range map[string]string{"A": "p@ss'%d\\n", "B": "x y"} {
		if err := os.WriteFile(dir+"/"+name, []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", assemble(template))
	cmd.Dir = dir
	got, err := cmd.Output()
	if want := `a\b %s p@ss'%d\n:eCB5`; err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
