package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
	"github.com/molecule-ai/molecli/internal/term"
	"github.com/molecule-ai/molecli/internal/vault/sink"
	"github.com/molecule-ai/molecli/internal/vault/sink/github/githubtest"
	"github.com/molecule-ai/molecli/internal/vault/sink/kinds"
)

func TestSecretValue_coupledCopiesOfWhatCameThroughAPipeAreTheSameBytes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		piped string
		exact bool
		want  string
	}{
		{"value-7Hq2\n", false, "value-7Hq2"},
		{"value-7Hq2\n", true, "value-7Hq2\n"},
		{"value-7Hq2", false, "value-7Hq2"},
		{"of windows\r\n\n", false, "of windows\r\n"},
	} {
		var said bytes.Buffer
		p := &printer{Streams: term.Streams{In: strings.NewReader(tt.piped), Err: &said}}
		value, err := (&valueFlags{file: "-", exact: tt.exact}).read(p)
		if err != nil {
			t.Fatal(err)
		}
		if told := strings.Contains(said.String(), "one newline"); told != (tt.want != tt.piped) {
			t.Errorf("%q: it is said that a newline is left out: %v", tt.piped, told)
		}
		github := githubtest.New(t, "token-of-acme")
		path := filepath.Join(t.TempDir(), "token")
		guard, err := netguard.New(netguard.Options{AllowSinkHosts: []string{github.URL}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(guard.CloseIdle)
		for _, spec := range []molecule.SinkSpec{
			{Kind: "github", Target: map[string]string{"repo": "acme/platform", "url": github.URL}},
			{Kind: "file", Target: map[string]string{"path": path}},
		} {
			k, err := kinds.Open(sink.Spec{Secret: "TOKEN", Net: guard, SinkSpec: spec})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := k.Apply(t.Context(), sink.Change{New: molecule.NewSecret(string(value)), Credential: molecule.NewSecret("token-of-acme")}); err != nil {
				t.Fatal(err)
			}
		}
		onDisk, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		opened, _ := github.Value("/repos/acme/platform/actions/secrets/TOKEN")
		if string(onDisk) != tt.want || opened != tt.want {
			t.Errorf("%q: the file has %q and GitHub %q, want %q", tt.piped, onDisk, opened, tt.want)
		}
	}
}
