package peers

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// behaviours are what each peer is told to do, by the first word of the
// prompt, and how the run has to be judged.
var behaviours = []struct {
	name, prompt string
	outcome      string
	reply        string // the reply, or a part of the reason when it is no success
	exit         int    // of molecli schedule run
}{
	{"echo", "echo good morning", "ok", "good morning", 0},
	{"task", "task is done", "ok", "is done", 0},
	{"slow", "slow but sure", "ok", "but sure", 0},
	{"empty", "empty", "empty", "", 1},
	{"emptytask", "emptytask", "empty", "", 1},
	{"phantom", "phantom", "empty", "", 1},
	{"fail", "fail out of paper", "failed", "out of paper", 1},
	{"reject", "reject not my job", "rejected", "not my job", 1},
	{"input", "input which one", "timeout", "", 7},
	{"throw", "throw a tantrum", "failed", "", 1},
	{"hang", "hang", "timeout", "", 7},
}

// goCannot are the behaviours the Go peer has no way to show: its command ends
// well or badly, and knows no task.
var goCannot = []string{"reject", "input"}

func TestPeers_areJudgedRight(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	bin := build(t)
	peers := []struct {
		name   string
		needs  string // fetched by make peers
		start  func(t *testing.T) string
		cannot []string
	}{
		{"js-sdk-1.3", "node_modules/a2a-sdk-1", func(t *testing.T) string { return startNode(t, "1", "JSONRPC") }, nil},
		{"js-sdk-1.3 over HTTP+JSON", "node_modules/a2a-sdk-1", func(t *testing.T) string { return startNode(t, "1", "HTTP+JSON") }, nil},
		{"js-sdk-0.3", "node_modules/a2a-sdk-0", func(t *testing.T) string { return startNode(t, "0", "JSONRPC") }, nil},
		{"js-sdk-0.3 over HTTP+JSON", "node_modules/a2a-sdk-0", func(t *testing.T) string { return startNode(t, "0", "HTTP+JSON") }, nil},
		{"a2a-go-2.3", "bin/a2a", func(t *testing.T) string { return startGo(t, here, "HTTP+JSON", "1.0") }, goCannot},
		{"a2a-go-2.3 over JSON-RPC", "bin/a2a", func(t *testing.T) string { return startGo(t, here, "JSONRPC", "1.0") }, goCannot},
		{"a2a-go-2.3 as 0.3 over JSON-RPC", "bin/a2a", func(t *testing.T) string { return startGo(t, here, "JSONRPC", "0.3") }, goCannot},
	}
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat(filepath.Join(here, p.needs)); err != nil {
				t.Skipf("%s is not here: make peers fetches it", p.needs)
			}
			d := serve(t, bin)
			d.molecli(t, 0, "agent", "add", "peer", "--url", p.start(t), "--max-concurrent", strconv.Itoa(len(behaviours)))
			for _, b := range behaviours {
				if slices.Contains(p.cannot, b.name) {
					continue
				}
				t.Run(b.name, func(t *testing.T) {
					t.Parallel()
					// A year away: fired by hand, as the schedule would.
					timeout := "30s"
					if b.outcome == "timeout" {
						timeout = "3s"
					}
					d.molecli(t, 0, "schedule", "add", b.name, "--agent", "peer", "--cron", "0 0 1 1 *",
						"--prompt", b.prompt, "--run-timeout", timeout)
					d.molecli(t, b.exit, "schedule", "run", b.name)
					run := d.lastRun(t, b.name)
					if run.Outcome != b.outcome {
						t.Errorf("judged %s (%s), want %s", run.Outcome, run.Reason, b.outcome)
					}
					if b.outcome == "ok" && strings.TrimSpace(run.Reply) != b.reply {
						t.Errorf("reply is %q, want %q", run.Reply, b.reply)
					}
					if b.outcome != "ok" && !strings.Contains(run.Reason, b.reply) {
						t.Errorf("the reason is %q, want %q in it", run.Reason, b.reply)
					}
				})
			}
		})
	}
}

// build builds both binaries into a directory of the test.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-o", dir, "./cmd/...")
	cmd.Dir = filepath.Join("..", "..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return dir
}

// daemon is a moleculed of the test's own.
type daemon struct {
	bin    string
	socket string
}

// serve starts a daemon and waits until it is alive.
func serve(t *testing.T, bin string) *daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "peers") // short: the path of a socket is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &daemon{bin: bin, socket: "unix://" + filepath.Join(dir, "s")}
	cmd := exec.Command(filepath.Join(bin, "moleculed"), "serve", "--data-dir", filepath.Join(dir, "d"), "--listen", d.socket)
	var log bytes.Buffer
	cmd.Stderr = &log
	start(t, cmd, func() {
		if t.Failed() {
			t.Logf("moleculed:\n%s", log.String())
		}
	})
	d.molecli(t, 0, "liveness", "--wait", "20s")
	return d
}

// start starts a command that is told to stop when the test ends.
func start(t *testing.T, cmd *exec.Cmd, after func()) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may be gone
		_ = cmd.Wait()                       // how it ends is not the point
		after()
	})
}

// molecli runs a command, wants its exit status and returns its output.
func (d *daemon) molecli(t *testing.T, exit int, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(filepath.Join(d.bin, "molecli"), append([]string{"--endpoint", d.socket}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if got := cmd.ProcessState.ExitCode(); got != exit {
		t.Errorf("molecli %s: exit %d (%v), want %d\n%s%s", strings.Join(args, " "), got, err, exit, out, stderr.String())
	}
	return out
}

// run is what the tests look at of a run.
type run struct{ Outcome, Reason, Reply string }

// lastRun returns the newest run of a schedule.
func (d *daemon) lastRun(t *testing.T, schedule string) run {
	t.Helper()
	var list struct{ Items []run }
	out := d.molecli(t, 0, "run", "list", "--schedule", schedule, "-o", "json")
	if err := json.Unmarshal(out, &list); err != nil || len(list.Items) == 0 {
		t.Fatalf("runs of %s: %v\n%s", schedule, err, out)
	}
	return list.Items[0]
}

// startNode starts an agent on the JavaScript SDK and returns its URL.
func startNode(t *testing.T, version, binding string) string {
	t.Helper()
	cmd := exec.Command("node", "agent.mjs", version, binding)
	stdin, err := cmd.StdinPipe() // it stops when this closes
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd, func() { _ = stdin.Close() })
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the peer did not say where it listens: %v", err)
	}
	return strings.TrimSpace(url)
}

// startGo starts the Go peer, which runs a script for each prompt, and returns
// its URL. Its card says what it speaks: the one it makes itself says 1.0 always.
func startGo(t *testing.T, here, binding, version string) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + free.Addr().String()
	port := free.Addr().(*net.TCPAddr).Port
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	card := filepath.Join(t.TempDir(), "card.json")
	text := fmt.Sprintf(`{"name":"peer","version":"1","supportedInterfaces":[{"url":%q,"protocolBinding":%q,"protocolVersion":%q}]}`,
		url, binding, version)
	if err := os.WriteFile(card, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(here, "bin", "a2a"), "serve", "--port", strconv.Itoa(port), "--card", card,
		"--transport", map[string]string{"HTTP+JSON": "rest", "JSONRPC": "jsonrpc"}[binding],
		"--protocol", map[string]string{"1.0": "latest", "0.3": "0.3"}[version],
		"--exec", filepath.Join(here, "behave.sh"))
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	start(t, cmd, func() {})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatalf("the peer did not say that it listens: %q, %v", line, err)
	}
	return url
}
