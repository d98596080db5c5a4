package daemon

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

func TestAudit_headsAreKeptInAFileAndPosted(t *testing.T) {
	t.Parallel()
	posted := make(chan string, 10) // more than come
	there := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		posted <- r.Method + " " + r.URL.Path + " " + string(body)
	}))
	t.Cleanup(there.Close)
	file := filepath.Join(t.TempDir(), "heads")
	var data string
	first := serve(t, func(cfg *Config) { data = *cfg.DataDir })
	ctx := molecule.WithPrincipal(t.Context(), administrator())
	if err := first.services.agents.CreateAgent(ctx, &molecule.Agent{Name: "echo", Exec: &molecule.Exec{Command: "cat"}}); err != nil {
		t.Fatal(err)
	}
	head, err := first.store.AuditHead(t.Context())
	if err != nil || head.ID != 1 {
		t.Fatalf("the head is %+v, %v", head, err)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	// A start exports at once what is new.
	serve(t, func(cfg *Config) {
		cfg.Audit.ExportFile, cfg.Audit.ExportURL, cfg.DataDir = file, there.URL+"/heads", &data
	})
	var got string
	select {
	case got = <-posted:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was posted")
	}
	want, err := json.Marshal(head)
	if err != nil {
		t.Fatal(err)
	}
	if got != "POST /heads "+string(want) {
		t.Errorf("got %q, want the head %s", got, want)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != string(want)+"\n" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}

func TestNew_refusesAnAuditExportThatIsNoneOfOurs(t *testing.T) {
	t.Parallel()
	for url, says := range map[string]string{
		"http://audit.example.com/heads": "anybody on the way can read",
		"https://169.254.169.254/heads":  "credentials",
		"ftp://audit.example.com":        "neither http nor https",
	} {
		cfg := DefaultConfig()
		dir := t.TempDir()
		data := filepath.Join(dir, "d")
		sqlitetest.Seed(t, data)
		cfg.DataDir, cfg.Listen, cfg.Audit.ExportURL = &data, []string{"unix://" + filepath.Join(dir, "s")}, url
		_, err := New(t.Context(), cfg, discard())
		if molecule.CodeOf(err) != molecule.UnsafeURL || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "audit.export_url") {
			t.Errorf("%s: got error %v, want one that names the setting and says %q", url, err, says)
		}
	}
}
