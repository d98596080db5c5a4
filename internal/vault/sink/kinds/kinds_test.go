package kinds

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/secretmap"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

func TestOpen_knowsNoKindThatLintDoesNotKnow(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(Names(), slices.Sorted(maps.Keys(table()))); diff != "" {
		t.Errorf("(-known to lint, +opened):\n%s", diff)
	}
}

func TestOpen_kindsThereAreNotAndTargetsThatLackSomethingAreInvalid(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		spec molecule.SinkSpec
	}{
		{"no kind at all", molecule.SinkSpec{}},
		{"a kind there is not", molecule.SinkSpec{Kind: "fiel", Target: map[string]string{"path": "/etc/token"}}},
		{"a kind that a person writes to", molecule.SinkSpec{Kind: "agent", Target: map[string]string{"agents": "*"}}},
		{"no path", molecule.SinkSpec{Kind: "file"}},
		{"a key that the kind has not", molecule.SinkSpec{Kind: "file", Target: map[string]string{"path": "/etc/token", "pth": "x"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Open(sink.Spec{Secret: "TOKEN", SinkSpec: tt.spec})
			if molecule.CodeOf(err) != molecule.Invalid || molecule.HintOf(err) == "" {
				t.Errorf("got %v with the hint %q, want Invalid with one", err, molecule.HintOf(err))
			}
		})
	}
}

func TestOpen_readsWhatStandsInAMap(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	f, err := secretmap.Read("secrets.yaml", "secrets:\n  - name: TOKEN\n    class: minted\n    sinks:\n      - {kind: file, target: {path: "+path+", mode: 0640}}\n")
	if err != nil || len(f.Findings) > 0 {
		t.Fatal(err, f.Findings)
	}
	s, _ := f.Map.Secret("TOKEN")
	opened, err := Open(sink.Spec{Secret: s.Name, SinkSpec: s.Sinks[0]})
	if err != nil {
		t.Fatal(err)
	}
	state, err := opened.Apply(t.Context(), sink.Change{New: molecule.NewSecret("value")})
	if err != nil || state.Holds != sink.HoldsNew || opened.Place() != "file:"+path+" 0640" {
		t.Errorf("got %+v, %v at %s", state, err, opened.Place())
	}
}
