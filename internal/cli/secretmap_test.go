package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const tinyMap = "secrets:\n  - {name: TOKEN, class: minted, rotate_every: 90d, sinks: [{kind: file, target: {path: /run/token}}]}\n"

func TestSecretsLint_asJSONHasEachFindingWithItsPlace(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "m.yaml", tinyMap)
	got := newHand(t, nil).run("secrets", "lint", "-f", path, "-o", "jsonl")
	want := `{"items":[` +
		`{"rule":"never-revoked","secret":"TOKEN","field":"name","message":"the old value of TOKEN works for ever: nothing revokes it",` +
		`"hint":"write revoke:, also when a person does it","line":2,"column":12},` +
		`{"rule":"owner","secret":"TOKEN","field":"name","message":"nobody owns TOKEN","hint":"write owner: and who is asked about it at night","line":2,"column":12}]}` + "\n"
	if diff := cmp.Diff(got, result{2, want, "findings: 2\n"}, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
}

func TestSecretsMap_asJSONHasWhatHoldsWhenNothingIsSaid(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "m.yaml", tinyMap)
	got := newHand(t, nil).run("secrets", "map", "-f", path, "-o", "jsonl")
	want := `{"name":"TOKEN","class":"minted","overlap":"dual","sinks":[{"kind":"file","target":{"path":"/run/token"},"order":1,"activation":"immediate"}],"rotate_every":"90d"}` + "\n"
	if got.status != 0 || got.out != want {
		t.Errorf("got %+v, want %s", got, want)
	}
	if got := newHand(t, nil).run("secrets", "map", "-f", path, "--format", "svg"); got.status != 2 || !strings.Contains(got.err, "markdown, dot") {
		t.Errorf("got %+v", got)
	}
}

func TestSecretsRunbook_completesTheNamesOfTheFile(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "m.yaml", tinyMap)
	if got := newHand(t, nil).run("__complete", "secrets", "runbook", "-f", path, ""); got.out != "TOKEN\n:4\n" {
		t.Errorf("got %q", got.out)
	}
}
