package tenant

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// line is one line of a corpus: what it is, and what becomes of it.
type line struct{ want, text string }

// corpus reads a file of testdata.
func corpus(t testing.TB, file string) (all []line) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	for row := range strings.Lines(string(text)) {
		row = strings.TrimSuffix(row, "\n")
		if row == "" || row[0] == '#' {
			continue
		}
		want, text, ok := strings.Cut(row, "\t")
		if !ok {
			t.Fatalf("%s: %q has no tab", file, row)
		}
		all = append(all, line{want, text})
	}
	if len(all) < 100 {
		t.Errorf("%s holds %d lines, it promises 100", file, len(all))
	}
	return all
}

func TestCorpus_ofReplayHeadersProvesWhatItSays(t *testing.T) {
	t.Parallel()
	g := newGuard(t, Options{OrgID: "acme", TrustFlyReplay: true})
	for _, l := range corpus(t, "replays.tsv") {
		r := httptest.NewRequest(http.MethodGet, "/v1/agents", nil)
		r.Header["Fly-Replay-Src"] = []string{l.text}
		if got, want := g.admits(r), l.want == "acme"; got != want {
			t.Errorf("Fly-Replay-Src: %.80q proves acme: %v, want %v", l.text, got, want)
		}
	}
}

func TestCorpus_ofTargetsOpensWhatItSays(t *testing.T) {
	t.Parallel()
	h := newGuard(t, Options{OrgID: "acme"}).Wrap(pass)
	for _, l := range corpus(t, "targets.tsv") {
		for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, request(method, l.text))
			want := l.want == "open" && (method == "GET" || method == "HEAD")
			if got := w.Code == http.StatusNoContent; got != want {
				t.Errorf("%s %q: open = %v, want %v", method, l.text, got, want)
			}
		}
	}
}
