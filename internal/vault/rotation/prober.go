package rotation

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

// NewProber returns what asks the probes of a map: over HTTP past the guard, and
// by programs that get the value on standard input and nothing else.
func NewProber(network sink.Network) Prober { return prober{network} }

type prober struct{ net sink.Network }

// Alive reports whether a value works. A status that is neither alive nor dead
// proves nothing, and is an error.
func (p prober) Alive(ctx context.Context, probe molecule.Probe, value molecule.Secret, fill Fill) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, limitOf(probe))
	defer cancel()
	if probe.Kind == molecule.ProbeExec {
		return run(ctx, probe, value)
	}
	status, err := p.request(ctx, probe, fill)
	switch {
	case err != nil:
		return false, err
	case slices.Contains(probe.Alive, status), len(probe.Alive) == 0 && status/100 == 2:
		return true, nil
	case slices.Contains(probe.Dead, status), len(probe.Dead) == 0 && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		return false, nil
	}
	return false, statusFault(status)
}

// Do does what a probe says. A value that is dead already has been revoked.
func (p prober) Do(ctx context.Context, probe molecule.Probe, value molecule.Secret, fill Fill) error {
	ctx, cancel := context.WithTimeout(ctx, limitOf(probe))
	defer cancel()
	if probe.Kind == molecule.ProbeExec {
		ok, err := run(ctx, probe, value)
		if err == nil && !ok {
			err = molecule.Errorf(molecule.Conflict, "the program says that it did not revoke the old value").WithHint("run it by hand and see why")
		}
		return err
	}
	status, err := p.request(ctx, probe, fill)
	switch {
	case err != nil:
		return err
	case status/100 == 2, slices.Contains(probe.Alive, status), slices.Contains(probe.Dead, status):
		return nil
	}
	return statusFault(status)
}

func limitOf(p molecule.Probe) time.Duration {
	if p.Timeout > 0 {
		return time.Duration(p.Timeout)
	}
	return molecule.DefaultProbeTimeout
}

// statusFault is the error for an answer that says nothing about a value.
func statusFault(status int) error {
	code := molecule.Forbidden
	switch {
	case status == http.StatusTooManyRequests:
		code = molecule.RateLimited
	case status >= http.StatusInternalServerError, status == http.StatusRequestTimeout:
		code = molecule.Unavailable
	}
	return molecule.Errorf(code, "the probe was answered with %d, which says neither alive nor dead", status).
		WithHint("add the status to alive or dead of the probe, if it means one of them")
}

// request makes one request and returns its status. Nothing of its URL or answer
// gets into an error: both may hold a value.
func (p prober) request(ctx context.Context, probe molecule.Probe, fill Fill) (int, error) {
	if p.net == nil {
		return 0, molecule.Errorf(molecule.Internal, "a probe was asked without a way out")
	}
	req, err := filled(ctx, probe, fill)
	if err != nil {
		return 0, err
	}
	if _, err := p.net.CheckStoredURL(req.URL.String(), false); err != nil {
		return 0, molecule.Errorf(molecule.CodeOf(err), "the URL of the probe may not be asked").WithHint("%s", molecule.HintOf(err))
	}
	target := netguard.Target{Class: netguard.Stored, Host: netguard.HostPort(req.URL)}
	res, err := p.net.Client(netguard.Stored).Do(req.WithContext(netguard.WithTarget(ctx, target)))
	if err != nil {
		return 0, molecule.Errorf(molecule.Unavailable, "the probe got no answer from %s", req.URL.Host).
			WithHint("see that it can be reached from here")
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // only its status counts
	return res.StatusCode, nil
}

// filled makes the request of a probe with the values in it.
func filled(ctx context.Context, probe molecule.Probe, fill Fill) (*http.Request, error) {
	var failed error
	text := func(s string) string {
		out, err := fill(s)
		if failed == nil {
			failed = err
		}
		return out
	}
	method := probe.Method
	if method == "" {
		method = http.MethodGet
	}
	url, body := text(probe.URL), text(probe.Body)
	header := make(http.Header)
	for name, value := range probe.Headers {
		header.Set(name, text(value))
	}
	if failed != nil {
		return nil, failed
	}
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, molecule.Errorf(molecule.Invalid, "the probe is no request").WithHint("look at its method and its url in the map")
	}
	req.Header = header
	return req, nil
}

// deadStatus is the exit status by which a program says that a value is dead;
// 0 says that it works.
const deadStatus = 1

// run asks a program: 0 is yes, 1 is no, and anything else no answer. It gets the
// value on standard input, an empty environment, and is killed with all it started.
func run(ctx context.Context, probe molecule.Probe, value molecule.Secret) (bool, error) {
	cmd := exec.CommandContext(ctx, probe.Command[0], probe.Command[1:]...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	cmd.Stdin = bytes.NewReader([]byte(value.Reveal()))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		return false, molecule.Errorf(molecule.Timeout, "the probe %s did not end in time", probe.Command[0]).WithHint("raise timeout of the probe, or see what it waits for")
	case exited && exit.ExitCode() == deadStatus:
		return false, nil
	case exited:
		return false, molecule.Errorf(molecule.Forbidden, "the probe %s ended with %s", probe.Command[0], exit.ProcessState).
			WithHint("it has to end with 0 for a value that works and with 1 for one that does not")
	}
	return false, molecule.Errorf(molecule.Forbidden, "the probe %s cannot be run", probe.Command[0]).WithHint("see that it is there and may be run").WithCause(err)
}
