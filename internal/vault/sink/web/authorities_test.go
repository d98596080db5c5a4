package web

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

func TestStored_trustsTheAuthoritiesOfTheTargetAndNoOthers(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(server.Close)
	guard, err := netguard.New(netguard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(guard.CloseIdle)
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for ca, want := range map[string]molecule.Code{path: "", "": molecule.Unavailable} {
		client, err := Stored(sink.Spec{Secret: "TOKEN", Net: guard, SinkSpec: molecule.SinkSpec{Kind: "vault", Target: map[string]string{"ca": ca}}}, server.URL)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Do(t.Context(), Request{Method: http.MethodGet}, nil); molecule.CodeOf(err) != want {
			t.Errorf("with ca %q: got %v, want %q", ca, err, want)
		}
	}
}

func TestStored_fileOfAuthoritiesThatIsNoneIsInvalid(t *testing.T) {
	t.Parallel()
	guard, err := netguard.New(netguard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(guard.CloseIdle)
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"ca.pem", "/nowhere/ca.pem", empty, filepath.Dir(empty)} {
		_, err := Stored(sink.Spec{Secret: "TOKEN", Net: guard, SinkSpec: molecule.SinkSpec{Kind: "vault", Target: map[string]string{"ca": path}}}, "https://vault.example.com")
		if molecule.CodeOf(err) != molecule.Invalid || molecule.HintOf(err) == "" {
			t.Errorf("%s: got %v, want Invalid with a hint", path, err)
		}
	}
}
