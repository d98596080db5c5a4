package daemon

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
	"github.com/molecule-ai/molecli/internal/systemd"
)

const (
	notifyPause  = 5 * time.Second       // between two looks, at most
	readyPause   = 20 * time.Millisecond // until the daemon is ready
	migrateGrace = 10 * time.Minute      // that the service manager gives each migration
)

// notifier tells the service manager how the daemon is; its Run is the subsystem
// service-notifier. The manager is told that the daemon is alive only while every
// critical subsystem is healthy: one that nobody can heal is reason to be killed.
type notifier struct {
	every  time.Duration
	tell   func(states ...string) error
	states func() []supervised.Status

	ready bool
	said  string
}

// newNotifier returns a notifier that is in time for the watchdog, which may
// be 0 for none.
func newNotifier(tell func(states ...string) error, watchdog time.Duration, states func() []supervised.Status) *notifier {
	n := &notifier{every: notifyPause, tell: tell, states: states}
	if watchdog > 0 {
		n.every = min(n.every, watchdog/3)
	}
	return n
}

// Run tells until ctx ends, and then that the daemon stops.
func (n *notifier) Run(ctx context.Context, beat *supervised.Beat) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			// Whoever drains has as long again as one who works.
			return n.tell(systemd.Stopping, systemd.Alive, systemd.Status("stopping"))
		case <-timer.C:
		}
		err := beat.Tick(ctx, n.look)
		if err != nil && ctx.Err() == nil {
			return err
		}
		pause := n.every
		if !n.ready {
			pause = min(pause, readyPause)
		}
		timer.Reset(pause)
	}
}

// look tells what has changed since the last look, and that the daemon is alive
// if it is.
func (n *notifier) look(context.Context) error {
	health, status := n.health()
	var news []string
	if status != n.said {
		news = append(news, systemd.Status(status))
	}
	if health == wellBegun && !n.ready {
		news = append(news, systemd.Ready)
	}
	if health != unwell {
		news = append(news, systemd.Alive)
	}
	if len(news) == 0 {
		return nil
	}
	if err := n.tell(news...); err != nil {
		return err
	}
	n.said, n.ready = status, n.ready || health == wellBegun
	return nil
}

// health is how the critical subsystems are.
type health int

const (
	unwell    health = iota
	beginning        // one has not ticked yet, and has its time for it
	wellBegun
)

// health returns how the critical subsystems are, and a line about all.
func (n *notifier) health() (health, string) {
	all := n.states()
	of, good := wellBegun, 0
	var bad []string
	for _, s := range all {
		switch s.State {
		case molecule.SubsystemHealthy:
			good++
			continue
		case molecule.SubsystemStarting:
			if !s.Optional {
				of = min(of, beginning)
			}
			continue
		}
		if !s.Optional {
			of = unwell
		}
		bad = append(bad, s.Name+" is "+string(s.State))
	}
	line := fmt.Sprintf("%d/%d healthy", good, len(all))
	if len(bad) > 0 {
		line += ": " + strings.Join(bad, ", ")
	}
	return of, line
}

// migrating asks the service manager for the time that a migration takes. It does
// so before each, not while one runs: one that hangs is to be found.
func (d *Daemon) migrating(version int64) {
	d.log.Info("bringing the store up to date", "schema", version)
	if d.manager == nil {
		return
	}
	err := d.manager.Tell(systemd.Extend(migrateGrace), systemd.Status(fmt.Sprintf("bringing the store to schema %d", version)))
	if err != nil {
		d.log.Warn("ask for more time to start", "err", err)
	}
}
