package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
		MaxIdleConnsPerHost: 256,
	}}
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

// populate makes n agents that ask for their work, each with its token.
func (d *daemon) populate(ctx context.Context, n int) ([]*agent, error) {
	agents := make([]*agent, n)
	var makers sync.WaitGroup
	errs := make(chan error, 64) // one for each maker
	for m := range cap(errs) {
		makers.Go(func() {
			for i := m; i < n; i += cap(errs) {
				var err error
				if agents[i], err = d.create(ctx, fmt.Sprintf("agent-%06d", i)); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	makers.Wait()
	close(errs)
	return agents, <-errs
}

func (d *daemon) create(ctx context.Context, name string) (*agent, error) {
	for {
		res, err := d.ask(ctx, http.MethodPost, "/v1/agents", []byte(`{"name":"`+name+`","kind":"poll"}`))
		if err != nil {
			return nil, err
		}
		var made struct {
			ID    string          `json:"id"`
			Token string          `json:"token"`
			Error json.RawMessage `json:"error"`
		}
		err = json.NewDecoder(res.Body).Decode(&made)
		_ = res.Body.Close()
		switch {
		case res.StatusCode == http.StatusTooManyRequests:
			if err := pause(ctx, 100*time.Millisecond); err != nil {
				return nil, err
			}
		case err != nil:
			return nil, err
		case made.Token == "":
			return nil, fmt.Errorf("%s: %s", res.Status, made.Error)
		default:
			return &agent{id: made.ID, token: made.Token}, nil
		}
	}
}

// gone is an agent that was called offline.
type gone struct {
	agent string
	at    time.Time // when that was heard here
}

// follow returns the agents that are called offline from now on.
func (d *daemon) follow(ctx context.Context) <-chan gone {
	out := make(chan gone, 1024) // closed never: the program ends with it
	go func() {
		for ctx.Err() == nil {
			if err := d.stream(ctx, out); err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "agents: events:", err)
			}
		}
	}()
	return out
}

func (d *daemon) stream(ctx context.Context, out chan<- gone) error {
	last, err := d.ask(ctx, http.MethodGet, "/v1/events/last", nil)
	if err != nil {
		return err
	}
	var newest struct{ ID int64 }
	err = json.NewDecoder(last.Body).Decode(&newest)
	_ = last.Body.Close()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://localhost/v1/events?type=agent.offline&after=%d", newest.ID), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	res, err := d.socket.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		at := time.Now()
		var e struct{ Data struct{ ID string } }
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return err
		}
		out <- gone{e.Data.ID, at}
	}
	return errors.New("the stream ended")
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
