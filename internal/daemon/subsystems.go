package daemon

import (
	"context"
	"time"

	"github.com/molecule-ai/molecli/internal/scheduler"
	"github.com/molecule-ai/molecli/internal/supervised"
	"github.com/molecule-ai/molecli/internal/watchdog"
)

// subsystem is one row of the table of everything that is watched.
type subsystem struct {
	name      string
	every     time.Duration // the promise: at least one good tick within it
	tickLimit time.Duration
	stopGrace time.Duration
	optional  bool
	run       func(ctx context.Context, beat *supervised.Beat) error
}

// subsystems returns the table. They start from the top and stop from the
// bottom: whoever writes stops before the store does.
func (d *Daemon) subsystems() []subsystem {
	const limit, grace = 10 * time.Second, 5 * time.Second
	drain := d.cfg.Dispatch.Drain + 2*grace // runs may finish, then their rows are written
	table := []subsystem{
		{"store-writer", 30 * time.Second, limit, grace, false, d.store.RunWriter},
		{"event-relay", 30 * time.Second, limit, grace, false, d.relay.Run},
		{"bookkeeper", 30 * time.Second, limit, grace, true, d.books.Run},
		{"incident-keeper", 30 * time.Second, limit, grace, true, d.incidents.Run},
		{"audit-exporter", 2 * d.cfg.Audit.ExportEvery, limit, grace, true, d.heads.Run},
		{"inbox", 30 * time.Second, limit, grace, true, d.inbox.Run},
		{"retention", time.Hour, limit, grace, true, d.retention.Run},
		{"secret-rotator", 30 * time.Second, limit, grace, true, d.rotator.Run},
		{"agent-monitor", 5 * time.Second, limit, grace, false, d.monitor.Run},
		{"agent-prober", 30 * time.Second, limit, grace, true, d.monitor.RunProber},
		{"dispatcher", 30 * time.Second, limit, drain, false, d.dispatcher.Run},
		{"scheduler", 30 * time.Second, limit, grace, false, d.scheduler.Run},
		// Behind whom they watch: while it stops nobody is missed.
		{"trouble-watchdog", 30 * time.Second, limit, grace, true, d.troubles().Run},
		{"missed-run-watchdog", 30 * time.Second, limit, grace, true, d.slots().Run},
	}
	if d.dead != nil {
		table = append(table, subsystem{"dead-man-switch", 2 * d.dead.every, limit, grace, true, d.dead.Run})
	}
	if d.manager != nil {
		n := newNotifier(d.manager.Tell, d.manager.Watchdog(), d.supervisor.Snapshot)
		table = append(table, subsystem{"service-notifier", 3 * n.every, limit, grace, true, n.Run})
	}
	return table
}

// slots makes what finds slots that nobody fired. It shares nothing with the
// scheduler, not even the clock it holds against the one on the wall.
func (d *Daemon) slots() *watchdog.Slots {
	return watchdog.NewSlots(watchdog.SlotOptions{
		Store: d.store, Incidents: d.incidents, Jump: scheduler.NewWallClock().Jump, Log: d.log.With("subsystem", "missed-run-watchdog"),
	})
}

// troubles makes what finds schedules and runs that wait for a person.
func (d *Daemon) troubles() *watchdog.Troubles {
	return watchdog.NewTroubles(watchdog.TroubleOptions{
		Store: d.store, Incidents: d.incidents, Changed: d.relay.Seen(), Log: d.log.With("subsystem", "trouble-watchdog"),
	})
}

// names returns what is watched, also what was added beside the table.
func (d *Daemon) names() []string {
	var all []string
	for _, s := range d.supervisor.Snapshot() {
		all = append(all, s.Name)
	}
	return all
}

// supervise adds the whole table, so that no subsystem can be missing from
// what liveness shows.
func (d *Daemon) supervise() error {
	for _, s := range d.subsystems() {
		err := d.supervisor.Add(supervised.Spec{
			Name: s.name, Run: s.run, Every: s.every,
			TickLimit: s.tickLimit, StopGrace: s.stopGrace, Optional: s.optional,
		})
		if err != nil {
			return err
		}
	}
	return nil
}
