package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// orgID is the organisation the daemon serves.
const orgID = "acme"

// clockTicks is how many of the units of /proc/PID/stat a second has.
const clockTicks = 100

// daemon is the moleculed that is measured.
type daemon struct {
	program string
	dir     string
	address string
	socket  *http.Client
	network *http.Client
	cmd     *exec.Cmd
	log     bytes.Buffer
}

func newDaemon(ctx context.Context, program string) (*daemon, error) {
	dir, err := os.MkdirTemp("", "agents")
	if err != nil {
		return nil, err
	}
	free, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &daemon{program: program, dir: dir, address: free.Addr().String()}
	d.socket = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", d.path("s"))
		},
		MaxIdleConnsPerHost: makers,
	}}
	d.network = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: makers}}
	return d, free.Close()
}

func (d *daemon) path(name string) string { return filepath.Join(d.dir, name) }

// remove kills what is left and removes the directory.
func (d *daemon) remove() {
	if d.cmd != nil {
		_ = d.cmd.Process.Kill() // it may be gone
		_ = d.cmd.Wait()
	}
	_ = os.RemoveAll(d.dir)
}

// launch starts the program and does not wait for it.
func (d *daemon) launch(ctx context.Context) error {
	d.cmd = exec.CommandContext(ctx, d.program, "serve", "--data-dir", d.path("d"), "--org-id", orgID,
		"--listen", "unix://"+d.path("s"), "--listen", "http://"+d.address, "--log-level", "warn")
	d.cmd.Stderr = &d.log
	return d.cmd.Start()
}

// start starts the program and waits until it is ready.
func (d *daemon) start(ctx context.Context) error {
	if err := d.launch(ctx); err != nil {
		return err
	}
	return d.ready(ctx)
}

// ready waits until the daemon says that it is.
func (d *daemon) ready(ctx context.Context) error {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		res, err := d.ask(ctx, http.MethodGet, "/ready", nil)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("the daemon does not get ready:\n%s", d.log.String())
}

// stop ends the daemon in order.
func (d *daemon) stop(ctx context.Context) error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	err := d.cmd.Wait()
	d.cmd = nil
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("the daemon ended with %w:\n%s", err, d.log.String())
	}
	return nil
}

// ask makes a request over the unix socket.
func (d *daemon) ask(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return d.socket.Do(req)
}

// askAs makes a request over TCP, where it is the token that says who asks.
func (d *daemon) askAs(ctx context.Context, token, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+d.address+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("X-Molecule-Org-Id", orgID)
	return d.network.Do(req)
}

// makers is how many make agents at one time, each with a token of its own: one
// principal may ask 200 times a second, and 2,000 times before that is counted.
const makers = 64

// populate makes n agents that ask for their work, each with its token.
func (d *daemon) populate(ctx context.Context, sign string, n int) ([]*agent, error) {
	agents := make([]*agent, n)
	var all sync.WaitGroup
	errs := make(chan error, makers) // one for each maker
	for m := range makers {
		all.Go(func() { errs <- d.makeSome(ctx, sign, m, agents) })
	}
	all.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return agents, nil
}

// makeSome makes every agent whose turn is that of one maker.
func (d *daemon) makeSome(ctx context.Context, sign string, maker int, agents []*agent) error {
	mine, err := d.create(ctx, d.ask, "/v1/tokens", fmt.Sprintf(`{"name":"maker-%d","scopes":["agents:write"]}`, maker))
	if err != nil {
		return err
	}
	ask := func(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
		return d.askAs(ctx, mine.Token, method, path, body)
	}
	for i := maker; i < len(agents); i += makers {
		a, err := d.create(ctx, ask, "/v1/agents", fmt.Sprintf(`{"name":"agent-%06d","kind":"poll"}`, i))
		if err != nil {
			return err
		}
		agents[i] = &agent{id: a.ID, request: request(sign, a.ID, a.Token)}
	}
	return nil
}

// made is what was created, as far as it is needed.
type made struct {
	ID    string          `json:"id"`
	Token string          `json:"token"`
	Error json.RawMessage `json:"error"`
}

// asking makes a request as somebody.
type asking func(ctx context.Context, method, path string, body []byte) (*http.Response, error)

// create creates what has a token, and comes back when it is asked to wait.
func (d *daemon) create(ctx context.Context, ask asking, path, body string) (made, error) {
	for {
		res, err := ask(ctx, http.MethodPost, path, []byte(body))
		if err != nil {
			return made{}, err
		}
		var m made
		err = json.NewDecoder(res.Body).Decode(&m)
		_ = res.Body.Close()
		switch {
		case res.StatusCode == http.StatusTooManyRequests:
			if err := pause(ctx, 100*time.Millisecond); err != nil {
				return made{}, err
			}
		case err != nil:
			return made{}, err
		case m.Token == "":
			return made{}, fmt.Errorf("%s: %s", res.Status, m.Error)
		default:
			return m, nil
		}
	}
}

// cpu is the processor time of the daemon so far.
func (d *daemon) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+2:]))
	ticks := int64(0)
	for _, at := range []int{11, 12} { // utime and stime, counted from the state
		n, err := strconv.ParseInt(f[at], 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / clockTicks
}

// memory is what the daemon holds of it, peak the most it ever did.
func (d *daemon) memory() string { return d.status("VmRSS:") }

func (d *daemon) peak() string { return d.status("VmHWM:") }

func (d *daemon) status(key string) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, key); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 64)
			if err != nil {
				return "unknown"
			}
			return fmt.Sprintf("%.1f MB", kb/1000)
		}
	}
	return "unknown"
}
