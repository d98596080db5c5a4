package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Where things are in the machine.
const (
	machineBin    = "/opt/molecule"
	machineAgents = "/srv/agents"
	machineDropIn = "/etc/systemd/system/moleculed.service.d/drill.conf"
)

// machine is a system with systemd as its first process, a scratch /etc and /var
// and no network.
type machine struct {
	t      *testing.T
	shared string // a directory that is in the machine as machineAgents
	run    string // what is in the machine /run/moleculed
	leader string // the process that is 1 in the machine
	log    *strings.Builder
	ready  *http.Client
}

// bootMachine starts a machine with both programs in it. The test is skipped, and
// says why, where none can be started.
func bootMachine(t *testing.T) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can boot a machine")
	}
	if _, err := exec.LookPath("systemd-nspawn"); err != nil {
		t.Skip("systemd-nspawn is not installed: apt-get install systemd-container")
	}
	dir, err := os.MkdirTemp("", "m") // short: the path of a socket is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	m := &machine{t: t, shared: filepath.Join(dir, "agents"), run: filepath.Join(dir, "run"), log: new(strings.Builder)}
	bin := filepath.Join(dir, "bin")
	for _, d := range []string{m.shared, m.run, bin} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", bin, "github.com/molecule-ai/molecli/cmd/...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	if err := os.Chmod(m.shared, 0o777); err != nil { // for the user of the service
		t.Fatal(err)
	}
	cmd := exec.Command("systemd-nspawn", "-q", "-D", "/", "--volatile=yes", "--register=no", "--keep-unit", "--private-network",
		"--console=pipe", "--machine=molecule-"+filepath.Base(dir),
		"--bind-ro="+bin+":"+machineBin, "--bind="+m.shared+":"+machineAgents, "--bind="+m.run+":/run/moleculed", "-b")
	cmd.Stdout, cmd.Stderr = m.log, m.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }()
	t.Cleanup(func() {
		if m.leader != "" {
			_ = exec.Command("kill", "-KILL", m.leader).Run() // and with it all of the machine
		} else {
			_ = cmd.Process.Kill()
		}
		<-gone
	})
	m.await(gone, cmd.Process.Pid)
	m.ready = &http.Client{Timeout: 2 * time.Second, Transport: m.transport()}
	return m
}

// transport reaches the daemon through its socket, a connection for each request.
func (m *machine) transport() *http.Transport {
	return &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(m.run, "moleculed.sock"))
	}}
}

// await waits until the machine has booted.
func (m *machine) await(gone <-chan error, nspawn int) {
	m.t.Helper()
	deadline := time.After(time.Minute)
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		select {
		case err := <-gone:
			m.t.Skipf("systemd cannot be booted here: %v\n%s", err, m.log)
		case <-deadline:
			m.t.Skipf("systemd does not boot here within a minute\n%s", m.log)
		case <-tick.C:
		}
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", nspawn, nspawn))
		if err != nil || len(strings.Fields(string(children))) == 0 {
			continue
		}
		m.leader = strings.Fields(string(children))[0]
		state, _ := m.try("systemctl is-system-running") // its status tells the same
		if s := strings.TrimSpace(state); s == "running" || s == "degraded" {
			tick.Stop()
			return
		}
	}
}

// try runs a line of shell in the machine.
func (m *machine) try(line string) (string, error) {
	cmd := exec.Command("nsenter", "--target", m.leader, "--all", "--", "/bin/sh", "-c", "cd / && "+line)
	cmd.Env = []string{"PATH=" + machineBin + ":/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// do runs a line of shell that has to succeed.
func (m *machine) do(line string) string {
	m.t.Helper()
	out, err := m.try(line)
	if err != nil {
		journal, _ := m.try("journalctl -u moleculed.service -o cat --no-pager -n 40")
		m.t.Fatalf("%s: %v\n%s\njournal:\n%s", line, err, out, journal)
	}
	return out
}

// property returns one property of the service.
func (m *machine) property(name string) string {
	m.t.Helper()
	return strings.TrimSpace(m.do("systemctl show --value -p " + name + " moleculed.service"))
}

// serving reports whether the daemon says that it is ready.
func (m *machine) serving() bool {
	res, err := m.ready.Get("http://localhost/ready")
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// until waits for a condition, and returns how long that took.
func (m *machine) until(within time.Duration, what string, ok func() bool) time.Duration {
	m.t.Helper()
	began := time.Now()
	for tick := time.NewTicker(50 * time.Millisecond); !ok(); <-tick.C {
		if time.Since(began) > within {
			m.t.Fatalf("not within %s: %s\n%s", within, what, m.do("journalctl -u moleculed.service -o cat --no-pager -n 60"))
		}
	}
	return time.Since(began)
}

// drill lays a drop-in over the unit and restarts the service.
func (m *machine) drill(lines ...string) {
	m.t.Helper()
	m.do("mkdir -p " + filepath.Dir(machineDropIn) + " && printf '%s\\n' '[Service]' '" + strings.Join(lines, "' '") + "' >" + machineDropIn +
		" && systemctl daemon-reload && systemctl restart moleculed.service")
}

// rounds is how often a fault is repeated, and how much longer than promised the
// recovery may take: none with MOLECULE_SYSTEMD_ROUNDS, which wants the computer to
// itself, and a while beside other tests.
func rounds(t *testing.T) (n int, longer time.Duration) {
	t.Helper()
	s := os.Getenv("MOLECULE_SYSTEMD_ROUNDS")
	if s == "" {
		return 1, 30 * time.Second
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("MOLECULE_SYSTEMD_ROUNDS: %v", err)
	}
	return n, 0
}

// TestSystemd installs the service on a machine with a real systemd, as an operator
// does, and then does to it what nights do to services.
func TestSystemd(t *testing.T) {
	t.Parallel()
	m := bootMachine(t)
	for _, step := range []struct {
		name string
		run  func(t *testing.T, m *machine)
	}{
		{"is installed and ready", installed},
		{"may do nothing else", confined},
		{"loses no request when it restarts", restarted},
		{"is restarted when a critical part hangs", hung},
		{"is killed when it cannot even exit", stopped},
	} {
		ok := t.Run(step.name, func(t *testing.T) {
			m.t = t
			step.run(t, m)
		})
		if !ok {
			return // the next would only fail because of it
		}
	}
}

func installed(t *testing.T, m *machine) {
	m.do("moleculed install-service --allow-write " + machineAgents)
	m.do("systemd-sysusers && systemctl daemon-reload && systemctl enable --now moleculed.socket moleculed.service")
	if got := m.property("ActiveState"); got != "active" {
		t.Errorf("the service is %s", got)
	}
	m.do("molecli liveness --wait 30s")
	m.until(30*time.Second, "the status tells that all is well", func() bool {
		of, all, ok := strings.Cut(strings.TrimSuffix(m.property("StatusText"), " healthy"), "/")
		return ok && of == all
	})
	m.do("moleculed healthcheck")
	if out := m.do("moleculed install-service --allow-write " + machineAgents); !strings.Contains(out, "everything is as it should be") {
		t.Errorf("the second time it says:\n%s", out)
	}
}

// confined lets an agent of the service try what the unit forbids.
func confined(t *testing.T, m *machine) {
	script, err := os.ReadFile(filepath.Join("testdata", "systemd", "try.sh"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(m.shared, "try.sh"), script, 0o644); err != nil {
		t.Fatal(err)
	}
	m.do("mkdir -m 777 -p /mnt/open && mkdir -p -m 755 /home/ada && echo s >/home/ada/secret && echo o >/tmp/outside && chmod 644 /home/ada/secret /tmp/outside")
	wanted := attempts(string(script))
	free := could(m.do("NOTIFY_SOCKET=/run/systemd/notify setpriv --reuid moleculed --regid moleculed --clear-groups sh " + machineAgents + "/try.sh"))
	if !slices.Equal(free, wanted) {
		t.Fatalf("without the unit %q work: the others prove nothing, of %q", free, wanted)
	}
	m.do("molecli agent add trier --exec 'sh " + machineAgents + "/try.sh'")
	out := m.do("molecli agent run trier --prompt go")
	if got := could(out); len(got) > 0 {
		t.Errorf("an agent of the service could %q", got)
	}
	if !strings.Contains(out, "may: write where the drop-in allows it") {
		t.Errorf("what is allowed does not work:\n%s", out)
	}
}

// attempts returns what the script tries.
func attempts(script string) []string {
	var all []string
	for line := range strings.Lines(script) {
		if _, rest, ok := strings.Cut(line, `try "`); ok && strings.HasPrefix(line, "try") {
			what, _, _ := strings.Cut(rest, `"`)
			all = append(all, what)
		}
	}
	return all
}

// could returns what worked.
func could(out string) []string {
	var all []string
	for line := range strings.Lines(out) {
		if what, ok := strings.CutPrefix(strings.TrimSpace(line), "could: "); ok {
			all = append(all, what)
		}
	}
	return all
}

// restarted asks without a pause while the service restarts.
func restarted(t *testing.T, m *machine) {
	const restarts, requests = 50, 10_000
	var asked, over atomic.Int64
	patient := &http.Client{Timeout: time.Minute, Transport: m.transport()}
	var askers sync.WaitGroup
	lost := make(chan error, 4)
	for range cap(lost) {
		askers.Go(func() {
			for over.Load() == 0 {
				asked.Add(1)
				res, err := patient.Get("http://localhost/v1/status")
				if err == nil {
					err = res.Body.Close()
				}
				if err == nil && res.StatusCode != http.StatusOK && res.StatusCode != http.StatusTooManyRequests { // which is an answer
					err = errors.New(res.Status)
				}
				if err != nil {
					lost <- err
					return
				}
			}
		})
	}
	n := 0
	for ; n < restarts || asked.Load() < requests && len(lost) == 0; n++ {
		m.do("systemctl restart moleculed.service")
	}
	over.Store(1)
	askers.Wait()
	close(lost)
	for err := range lost {
		t.Errorf("a request was lost: %v", err)
	}
	t.Logf("%d requests over %d restarts", asked.Load(), n)
}

// hung lets the scheduler hang in the middle of a tick, deaf to whoever stops it.
func hung(t *testing.T, m *machine) {
	// Its limit for a tick and for stopping, and a quarter of a minute.
	const within = 10*time.Second + 5*time.Second + 15*time.Second
	hang := filepath.Join(m.shared, "hang")
	m.drill("Environment=MOLECULE_DEBUG_HANG_SCHEDULER=" + machineAgents + "/hang")
	m.do("molecli agent add idle --exec true")
	n, longer := rounds(t)
	for i := range n {
		m.until(30*time.Second, "it serves", m.serving)
		before := m.property("MainPID")
		if err := os.WriteFile(hang, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		m.do(fmt.Sprintf("molecli schedule add wake-%d --agent idle --cron '0 0 1 1 *' --prompt x", i)) // the scheduler looks
		m.until(20*time.Second+longer, "it is seen to be stuck", func() bool {
			out, _ := m.try("molecli liveness scheduler") // exits with what it shows
			return strings.Contains(out, "stuck") || m.property("MainPID") != before
		})
		if err := os.Remove(hang); err != nil {
			t.Fatal(err)
		}
		took := m.until(within+longer, "another process serves", func() bool {
			pid := m.property("MainPID")
			return pid != before && pid != "0" && m.serving()
		})
		t.Logf("serving again %s after it was seen to be stuck", took.Round(10*time.Millisecond))
	}
	journal := m.do("journalctl -u moleculed.service -o cat --no-pager")
	for _, want := range []string{"hangForDrill", "status=1/FAILURE"} {
		if !strings.Contains(journal, want) {
			t.Errorf("the journal does not tell %q:\n%s", want, journal)
		}
	}
}

// stopped stops the process itself, so that it can neither work nor exit.
func stopped(t *testing.T, m *machine) {
	const watchdog = 6 * time.Second // instead of 30, to be done sooner
	m.drill(fmt.Sprintf("WatchdogSec=%d", int(watchdog.Seconds())))
	n, longer := rounds(t)
	for range n {
		m.until(30*time.Second, "it serves", m.serving)
		before := m.property("MainPID")
		m.do("kill -STOP " + before)
		took := m.until(watchdog+2*time.Second+longer, "another process serves", func() bool {
			pid := m.property("MainPID")
			return pid != before && pid != "0" && m.serving()
		})
		t.Logf("serving again %s after it was stopped", took.Round(10*time.Millisecond))
	}
	if got := m.do("journalctl -u moleculed.service -o cat --no-pager"); !strings.Contains(got, "Watchdog timeout") {
		t.Errorf("it was not the watchdog:\n%s", got)
	}
}
