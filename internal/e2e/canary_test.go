package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/api"
	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/platform"
)

// canary is a secret whose value must turn up nowhere but where it belongs.
type canary struct{ name, value string }

// forms returns the value as it could turn up: as it is, in JSON, in a URL, in
// base64 wherever it stands in what was encoded, in hexadecimal and quoted for a
// shell.
func (c canary) forms() map[string]string {
	quoted, err := json.Marshal(c.value)
	if err != nil {
		panic(err) // a string always encodes
	}
	all := map[string]string{
		"plain": c.value, "JSON": strings.Trim(string(quoted), `"`), "URL": url.QueryEscape(c.value), "path": url.PathEscape(c.value),
		"hex": hex.EncodeToString([]byte(c.value)), "shell": strings.ReplaceAll(c.value, "'", `'\''`),
	}
	for shift := range 3 { // of what stands before it only whole groups of three bytes leave it alone
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + c.value))
		all[fmt.Sprintf("base64 at %d", shift)] = text[4 : len(text)-4]
	}
	return all
}

// in names the forms of c that text holds.
func (c canary) in(text []byte) []string {
	var found []string
	for form, value := range c.forms() {
		if bytes.Contains(text, []byte(value)) {
			found = append(found, form)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func TestCanary_findsEachForm(t *testing.T) {
	t.Parallel()
	c := canary{"test", `mol'op "with" / signs`}
	for form, value := range c.forms() {
		if len(c.in([]byte("before "+value+" behind"))) == 0 {
			t.Errorf("%s is not found", form)
		}
	}
	if found := c.in([]byte(base64.StdEncoding.EncodeToString([]byte("Authorization: Bearer " + c.value + "!")))); len(found) == 0 {
		t.Error("within base64 it is not found")
	}
}

// aviary is a daemon that says all it can, and everything it ever said.
type aviary struct {
	*crashing
	molecli  string
	canaries []canary
	said     map[string][]byte // by where
}

// TestCanary_turnsUpNowhere makes tokens, uses each well and badly by every
// command and route, seals values, and looks for them in whatever came out: answers,
// logs, a crash, the database with its log, and a copy of it.
func TestCanary_turnsUpNowhere(t *testing.T) {
	t.Parallel()
	a := &aviary{crashing: newCrashing(t, nil), said: make(map[string][]byte)}
	a.molecli = filepath.Join(a.dir, "molecli")
	build := exec.Command("go", "build", "-o", a.molecli, "github.com/molecule-ai/molecli/cmd/molecli")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	l := a.loud()
	ctx := t.Context()
	a.eventually("the daemon to be ready", func() bool { _, err := a.client.Status(ctx); return err == nil })
	status, err := a.client.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	tcp := status.Listen[slices.IndexFunc(status.Listen, func(s string) bool { return strings.HasPrefix(s, "http") })]
	a.hatch()
	a.command("", a.words("--endpoint", tcp)...)
	a.misuse(tcp)
	a.routes(tcp)
	a.examples(tcp)
	a.seal(tcp)
	a.files("while it runs: ") // the log of the database is not in it yet
	if len(a.said["while it runs: "+filepath.Join(a.data, "moleculed.db-wal")]) == 0 {
		t.Error("the log of the database was not looked at")
	}
	l.kill(os.Interrupt)
	a.said["log"] = []byte(l.log.String())
	a.crash()
	if !strings.Contains(l.log.String(), "level=DEBUG") {
		t.Error("the log has no debug lines: it was not as loud as it can be")
	}
	a.files("")
	if len(a.said) < 800 {
		t.Errorf("only %d places were looked at", len(a.said))
	}
	for where, text := range a.said {
		for _, c := range a.canaries {
			if found := c.in(text); len(found) > 0 {
				t.Errorf("%s is in %s: %v", c.name, where, found)
			}
		}
	}
}

// loud starts the daemon with every line of its log.
func (a *aviary) loud() *life {
	a.t.Helper()
	a.args = []string{"--listen", "http://127.0.0.1:0", "--log-level", "debug"}
	return a.start()
}

// hatch makes the tokens. What is told once is told here and not kept.
func (a *aviary) hatch() {
	a.t.Helper()
	read := func(name, path string) {
		token, err := client.ReadToken(path)
		if err != nil {
			a.t.Fatal(err)
		}
		a.canaries = append(a.canaries, canary{name, token.Reveal()})
	}
	read("the first token", filepath.Join(a.data, "admin.token"))
	for _, scope := range []string{"admin", "schedules:read"} {
		path := filepath.Join(a.dir, strings.ReplaceAll(scope, ":", "-"))
		a.command("", "token", "add", "canary-"+filepath.Base(path), "--scope", scope, "--token-out", path)
		read("a token for "+scope, path)
	}
	for name, words := range map[string][]string{
		"an agent's token":     {"agent", "add", "canary-poll", "--poll"},
		"an enrolment's token": {"agent", "enrol", "--name", "canary-late"},
	} {
		path := filepath.Join(a.dir, words[1])
		a.command("", append(words, "--token-out", path)...)
		read(name, path)
	}
	// Well-formed, and of nobody: the wrong credential of somebody else.
	a.canaries = append(a.canaries, canary{"a wrong token", strings.Replace(a.canaries[0].value, "_op_", "_xx_", 1)})
}

// command runs molecli and keeps what it says.
func (a *aviary) command(stdin string, words ...string) {
	a.t.Helper()
	cmd := exec.CommandContext(a.t.Context(), a.molecli, words...)
	cmd.Env = append(os.Environ(), "HOME="+a.dir, "XDG_CONFIG_HOME="+a.dir, "MOLECULE_NO_INPUT=true")
	if !slices.Contains(words, "--endpoint") {
		cmd.Env = append(cmd.Env, "MOLECULE_ENDPOINT="+a.socket())
	}
	cmd.Stdin = strings.NewReader(stdin)
	out, _ := cmd.CombinedOutput() // its status is of no interest
	a.said[fmt.Sprintf("molecli #%d", len(a.said))] = out
}

// words are a command that asks something.
func (a *aviary) words(more ...string) []string { return append([]string{"status"}, more...) }

// misuse gives tokens where none belongs, and wrong ones where one does.
func (a *aviary) misuse(tcp string) {
	a.t.Helper()
	asks := [][]string{
		{"status"}, {"whoami"}, {"agent", "list"}, {"schedule", "list"}, {"run", "list"}, {"token", "list"}, {"token", "list", "-o", "json"},
		{"audit", "list"}, {"audit", "list", "-o", "yaml"}, {"audit", "verify"}, {"incident", "list"}, {"event", "list"}, {"liveness"},
		{"config", "list"},
	}
	for i, c := range a.canaries {
		file := filepath.Join(a.dir, fmt.Sprintf("given-%d", i))
		if err := os.WriteFile(file, []byte(c.value+"\n"), 0o600); err != nil {
			a.t.Fatal(err)
		}
		if strings.Contains(c.name, "wrong") {
			asks = asks[:3] // each answer to it takes a second after the tenth
		}
		for _, ask := range asks {
			a.command("", append(ask, "--endpoint", tcp, "--token-file", file, "--debug", "-v")...)
		}
		a.command(c.value, "login", "--endpoint", tcp)
		a.command(c.value, "login", "--endpoint", "http://127.0.0.1:1")
		a.command("", "logout")
		a.command("", "status", "--endpoint", tcp, "--token-file", c.value) // the token for the file
	}
}

// routes asks over TCP with every token, in the right header and in wrong ones.
func (a *aviary) routes(tcp string) {
	a.t.Helper()
	all := append(api.Routes(), "GET /health?verbose", "GET /v1/nothing", "POST /v1/nothing")
	for _, rt := range new(platform.Face).Routes() {
		all = append(all, rt.Method+" "+rt.Path)
	}
	if len(all) < 60 {
		a.t.Errorf("only %d routes are known", len(all))
	}
	named := regexp.MustCompile(`\{[^}]*\}`)
	for _, c := range a.canaries {
		all := all
		if strings.Contains(c.name, "wrong") {
			all = all[:4]
		}
		for _, header := range []string{"Authorization", "X-Api-Key"} {
			for _, rt := range all {
				method, path, _ := strings.Cut(rt, " ")
				a.request(method, tcp+named.ReplaceAllString(path, "nobody"), header, "Bearer "+c.value)
			}
		}
	}
}

// examples types every example of the help with the token of an administrator.
func (a *aviary) examples(tcp string) {
	a.t.Helper()
	if err := os.Mkdir(filepath.Join(a.dir, "elsewhere"), 0o700); err != nil {
		a.t.Fatal(err)
	}
	how := examplesOf()
	for _, e := range examplesIn(a.t, "molecli", cliHelp) {
		if how[e.text].forever || how[e.command].forever {
			continue
		}
		ctx, cancel := context.WithTimeout(a.t.Context(), time.Minute) // whatever goes wrong
		cmd := exec.CommandContext(ctx, "bash", "-c", e.text)
		cmd.Dir, cmd.WaitDelay = filepath.Join(a.dir, "elsewhere"), 5*time.Second
		cmd.Env = append(os.Environ(), "PATH="+a.dir+":"+os.Getenv("PATH"), "HOME="+a.dir, "XDG_CONFIG_HOME="+a.dir, "MOLECULE_NO_INPUT=true",
			"MOLECULE_ENDPOINT="+tcp, "MOLECULE_TOKEN_FILE="+filepath.Join(a.data, "admin.token"), "MOLECULE_DEBUG=true")
		out, _ := cmd.CombinedOutput() // its status is of no interest
		cancel()
		a.said[e.text] = out
	}
}

// crash ends the daemon as a crash does, with a dump of what all of it is doing
// while a token is in use.
func (a *aviary) crash() {
	a.t.Helper()
	l := a.loud()
	ctx := a.t.Context()
	a.eventually("the daemon to be ready again", func() bool { _, err := a.client.Status(ctx); return err == nil })
	status, err := a.client.Status(ctx)
	if err != nil {
		a.t.Fatal(err)
	}
	tcp := status.Listen[slices.IndexFunc(status.Listen, func(s string) bool { return strings.HasPrefix(s, "http") })]
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, tcp+"/v1/events", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+a.canaries[0].value)
	open, err := http.DefaultClient.Do(r) // stays open
	if err != nil {
		a.t.Fatal(err)
	}
	defer open.Body.Close()
	l.kill(syscall.SIGQUIT)
	if !strings.Contains(l.log.String(), "goroutine ") {
		a.t.Error("there was no dump")
	}
	a.said["crash"] = []byte(l.log.String())
}

func (a *aviary) request(method, target, header, value string) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), time.Second) // streams would go on
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader("{"))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set(header, value)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return // it waits for what may come
		}
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil && ctx.Err() == nil {
		a.t.Fatal(err)
	}
	a.said[fmt.Sprintf("%s %s #%d", method, target, len(a.said))] = fmt.Appendf(body, "%v", res.Header)
}

// seal stores values, asks of them all there is to ask, and gives them where none
// belongs. What is told of a value goes into files that nobody looks at.
func (a *aviary) seal(tcp string) {
	a.t.Helper()
	for i, value := range []string{`sealed "first" / it's`, "sealed second & last=1"} {
		c := canary{fmt.Sprintf("value %d", i+1), fmt.Sprintf("%s %x", value, 0xfeedface+i)}
		a.canaries = append(a.canaries, c)
		verb, version := []string{"add", "set"}[i], fmt.Sprint(i+1)
		a.command(c.value, "secrets", verb, "CANARY", "--from-file", "-", "-o", "json", "--debug", "-v")
		for _, words := range [][]string{
			{"list"}, {"list", "-o", "json"}, {"show", "CANARY"}, {"show", "CANARY", "-o", "yaml"}, {"history", "CANARY", "-o", "wide"},
			{"reveal", "CANARY", "--reason", "a test", "--version", version, "--out", filepath.Join(a.dir, "told"+version)},
			{"run", "--file", "CANARY", "--env", "CANARY", "--", "true"}, {"rewrap"}, {"run", "--env", "CANARY", "--", "no-such-command"},
			{"add", "CANARY=" + c.value}, {"add", "OTHER", c.value}, {"set", "CANARY", c.value}, {"set", "CANARY=" + c.value},
			{"reveal", "CANARY", "--reason", "over TCP", "--endpoint", tcp, "--token-file", filepath.Join(a.data, "admin.token")},
		} {
			a.command(c.value, append([]string{"secrets"}, words...)...)
		}
		a.command(c.value, "secrets", verb, "CANARY", "--from-file", "-") // a name in use, or the same value
		a.command("", "audit", "list", "-o", "json", "--limit", "100")
		a.command("", "event", "list", "-o", "json")
		told, err := os.ReadFile(filepath.Join(a.dir, "told"+version))
		if err != nil || string(told) != c.value {
			a.t.Errorf("%s was not stored: %v", c.name, err)
		}
	}
	backup := exec.CommandContext(a.t.Context(), a.bin, "backup", "--data-dir", a.data, filepath.Join(a.data, "copy.db"))
	if out, err := backup.CombinedOutput(); err != nil {
		a.t.Errorf("backup: %v\n%s", err, out)
	}
}

// files reads what the daemon has left behind, but for the files that are the
// tokens.
func (a *aviary) files(when string) {
	a.t.Helper()
	err := filepath.WalkDir(a.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Base(path) == "admin.token" {
			return err
		}
		a.said[when+path], err = os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was taken away meanwhile
		}
		return err
	})
	if err != nil {
		a.t.Fatal(err)
	}
}
