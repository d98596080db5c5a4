package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/netguard"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// What follows the URL of a dead man's switch, as services that keep one expect
// it (healthchecks.io, read 2026-04): nothing is a sign of life.
const (
	deadManStart = "start"
	deadManFail  = "fail"
)

// deadManWithin bounds one call.
const deadManWithin = 8 * time.Second

// SupervisorConfig says who is told from outside whether the daemon lives.
type SupervisorConfig struct {
	DeadManURL   string        `yaml:"dead_man_url"`
	DeadManEvery time.Duration `yaml:"dead_man_every"`
}

// deadMan calls somebody else for as long as the daemon is healthy; its Run is
// the subsystem dead-man-switch. When the calls stop, whatever the reason, that
// somebody tells a person.
type deadMan struct {
	every   time.Duration
	healthy func(names ...string) (bool, []supervised.Status)
	call    func(ctx context.Context, suffix, says string) error
	log     *slog.Logger

	begun  bool // told that it started
	failed bool // told that it is not healthy
}

// Run calls at once and then after each interval until ctx ends. A call that
// fails leaves no heartbeat, so that the switch is seen to be broken.
func (m *deadMan) Run(ctx context.Context, beat *supervised.Beat) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if err := beat.Tick(ctx, m.tell); err != nil && ctx.Err() == nil {
			m.log.WarnContext(ctx, "the dead man's switch was not reached", "err", err)
		}
		timer.Reset(m.every)
	}
}

// tell makes the call that is due: that it started, that it lives, or, once,
// that it does not. While it is not healthy nothing is called.
func (m *deadMan) tell(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, deadManWithin)
	defer cancel()
	ok, bad := m.healthy()
	switch {
	case ok && !m.begun:
		if err := m.call(ctx, deadManStart, ""); err != nil {
			return err
		}
		m.begun = true
		return m.call(ctx, "", "")
	case ok:
		m.failed = false
		return m.call(ctx, "", "")
	case m.failed:
		return nil
	}
	var says []string
	for _, s := range bad {
		says = append(says, s.Name+" is "+string(s.State))
	}
	if err := m.call(ctx, deadManFail, strings.Join(says, "\n")); err != nil {
		return err
	}
	m.failed = true
	return nil
}

// deadMan makes the dead man's switch; nil when there is none.
func (d *Daemon) deadMan() (*deadMan, error) {
	c := d.cfg.Supervisor
	if c.DeadManURL == "" {
		return nil, nil
	}
	u, err := d.guard.CheckStoredURL(c.DeadManURL, false)
	if err != nil {
		return nil, fmt.Errorf("supervisor.dead_man_url: %w", err)
	}
	target := netguard.Target{Class: netguard.Stored, Host: netguard.HostPort(u)}
	return &deadMan{
		every: c.DeadManEvery, healthy: d.supervisor.IsHealthy, log: d.log.With("subsystem", "dead-man-switch"),
		call: func(ctx context.Context, suffix, says string) error {
			there := u
			if suffix != "" {
				there = u.JoinPath(suffix)
			}
			return post(netguard.WithTarget(ctx, target), d.guard.Client(netguard.Stored), there, says)
		},
	}, nil
}

// post sends a text. Whoever knows the path of the URL may call it, so an error
// names the host only.
func post(ctx context.Context, c *http.Client, u *url.URL, says string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(says))
	if err != nil {
		return errors.New("call " + u.Host + ": its URL does not parse")
	}
	res, err := c.Do(req)
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if err != nil {
		return fmt.Errorf("call %s: %w", u.Host, err)
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("call %s: it answers %s", u.Host, res.Status)
	}
	return nil
}
