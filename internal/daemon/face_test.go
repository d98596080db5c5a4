package daemon

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// overTCP makes a daemon serve an organisation over TCP too.
func overTCP(cfg *Config) {
	org := "acme"
	cfg.OrgID = &org
	cfg.Listen = append(cfg.Listen, "http://127.0.0.1:0")
}

// exchange sends text over a new connection and returns the whole answer,
// without the two lines that differ from answer to answer.
func exchange(t *testing.T, r *running, text string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(r.Addr("tcp"), "http://"), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(molecule.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?mi)^(Date|X-Request-Id): .*\r\n`).ReplaceAllString(string(all), "")
}

// request writes a request that ends its connection.
func request(target string, headers ...string) string {
	all := append([]string{"GET " + target + " HTTP/1.1", "Host: 127.0.0.1", "Connection: close"}, headers...)
	return strings.Join(all, "\r\n") + "\r\n\r\n"
}

func TestFace_awayFromTheOrganisationEveryPathLooksAlike(t *testing.T) {
	t.Parallel()
	r := serve(t, overTCP)
	unknown := exchange(t, r, request("/no/such/path", "X-Molecule-Org-Id: acme"))
	if !strings.HasPrefix(unknown, "HTTP/1.1 404 Not Found\r\n") {
		t.Fatalf("an unknown path is answered with\n%s", unknown)
	}
	tests := map[string]string{
		"a wrong organisation":                   request("/v1/agents", "X-Molecule-Org-Id: other"),
		"none":                                   request("/v1/agents"),
		"a blank one":                            request("/v1/agents", "X-Molecule-Org-Id: "),
		"the right one twice":                    request("/v1/agents", "X-Molecule-Org-Id: acme", "X-Molecule-Org-Id: acme"),
		"none, with a token nobody gave":         request("/v1/agents", "Authorization: Bearer mol_adm_x"),
		"a wrong one, for a path nobody knows":   request("/no/such/path", "X-Molecule-Org-Id: other"),
		"a wrong one, for a run":                 request("/v1/runs/0000", "X-Molecule-Org-Id: other"),
		"a wrong one, for the metrics of others": request("/admin/liveness", "X-Molecule-Org-Id: other"),
		"none, behind an open path":              request("/health/../v1/agents"),
	}
	for name, text := range tests {
		if diff := cmp.Diff(exchange(t, r, text), unknown); diff != "" {
			t.Errorf("%s is told from an unknown path (-got +want):\n%s", name, diff)
		}
	}
}

func TestFace_theRightOrganisationNeedsAToken(t *testing.T) {
	t.Parallel()
	r := serve(t, overTCP)
	token := firstTokenOf(t, r)
	tests := []struct {
		name    string
		text    string
		status  string
		carries string
	}{
		{"no token", request("/v1/agents", "X-Molecule-Org-Id: acme"), "401 Unauthorized", `"code":"unauthenticated"`},
		{"a token nobody gave", request("/v1/agents", "X-Molecule-Org-Id: acme", "Authorization: Bearer "+strings.ToUpper(token)), "401 Unauthorized", "unauthenticated"},
		{"the first token", request("/v1/agents", "X-Molecule-Org-Id: acme", "Authorization: Bearer "+token), "200 OK", `"items":[]`},
		{"the first token proves the organisation", request("/v1/agents", "Authorization: Bearer "+token), "200 OK", `"items":[]`},
		{"health is open", request("/health"), "200 OK", `{"status":"ok"}`},
		{"a name that was rebound", strings.Replace(request("/v1/agents", "X-Molecule-Org-Id: acme", "Authorization: Bearer "+token), "Host: 127.0.0.1", "Host: evil.example", 1), "403 Forbidden", ""},
	}
	for _, tt := range tests {
		got := strings.ReplaceAll(exchange(t, r, tt.text), " ", "")
		if !strings.HasPrefix(got, strings.ReplaceAll("HTTP/1.1 "+tt.status, " ", "")) || !strings.Contains(got, tt.carries) {
			t.Errorf("%s: want %s with %s, got\n%s", tt.name, tt.status, tt.carries, got)
		}
	}
}

func TestFace_theSocketNeedsNoOrganisation(t *testing.T) {
	t.Parallel()
	r := serve(t, overTCP)
	if status, body := get(t, r, "/v1/agents"); status != http.StatusOK {
		t.Errorf("over the socket: %d %s", status, body)
	}
	if status, body := get(t, r, "/no/such/path"); status != http.StatusNotFound {
		t.Errorf("an unknown path over the socket: %d %s", status, body)
	}
}

// firstTokenOf returns the token the daemon made when it began.
func firstTokenOf(t *testing.T, r *running) string {
	t.Helper()
	path := filepath.Join(r.dir, "d", tokenFile)
	eventually(t, "the first token", func() bool {
		info, err := os.Stat(path)
		return err == nil && info.Size() > 0
	})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of the token has mode %v, %v", info.Mode(), err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(raw))
}

func TestFace_streamsEndWhenTheDaemonStops(t *testing.T) {
	t.Parallel()
	r := serve(t, overTCP)
	token := firstTokenOf(t, r)
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.Addr("tcp"), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "GET /v1/events?after=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\nAuthorization: Bearer %s\r\n\r\n", token)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%v, %v", res, err)
	}
	if err := r.stop(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	rest, err := io.ReadAll(res.Body)
	if err != nil || !bytes.HasPrefix(rest, []byte(": open\n\n")) {
		t.Errorf("the stream ended with %v after %q", err, rest)
	}
}

func TestFirstToken_isMadeAlsoWhenOnlyAgentsHaveOne(t *testing.T) {
	t.Parallel()
	store := sqlitetest.Open(t)
	agents := molecule.Token{ID: "agent000", Name: "a", Kind: molecule.TokenAgent, Scopes: []molecule.Scope{molecule.ScopeAgentSelf}, AgentID: "a"}
	if err := store.CreateToken(t.Context(), &agents); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := firstToken(t.Context(), store, dir, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, tokenFile)); err != nil {
		t.Errorf("an operator is locked out: %v", err)
	}
}
