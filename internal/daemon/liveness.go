package daemon

import (
	"context"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// liveness implements [molecule.LivenessService] and depends on nobody:
// subsystems come from the supervisor's memory, counts from the bookkeeper's
// last turn, or from the next one when that is soon enough.
type liveness struct {
	supervisor *supervised.Supervisor
	books      *bookkeeper
}

// Liveness returns the state of everything that is watched.
func (l *liveness) Liveness(ctx context.Context) (molecule.Liveness, error) {
	healthy, _ := l.supervisor.IsHealthy()
	out := molecule.Liveness{Healthy: healthy, Subsystems: make(map[string]molecule.Subsystem)}
	for _, s := range l.supervisor.Snapshot() {
		out.Subsystems[s.Name] = rounded(s.Subsystem)
	}
	if c := l.books.counts(ctx); c != nil {
		out.Agents, out.Schedules, out.AsOf = c.agents, c.schedules, c.asOf
	}
	return out, nil
}

// rounded brings times to the milliseconds that are sent.
func rounded(s molecule.Subsystem) molecule.Subsystem {
	if s.LastTickAt != nil {
		at := s.LastTickAt.UTC().Truncate(time.Millisecond)
		s.LastTickAt = &at
	}
	if s.SecondsAgo != nil {
		ago := math.Round(*s.SecondsAgo*1000) / 1000
		s.SecondsAgo = &ago
	}
	return s
}

// SubsystemDump returns the stacks of one subsystem's goroutines.
func (l *liveness) SubsystemDump(_ context.Context, name string) (string, error) {
	return l.supervisor.Dump(name)
}

// waiting names the critical subsystems that keep the daemon from being ready.
func (l *liveness) waiting() []string {
	ok, states := l.supervisor.IsHealthy()
	if ok {
		return nil
	}
	var names []string
	for _, s := range states {
		names = append(names, s.Name)
	}
	return names
}

// about implements [molecule.StatusService].
type about struct {
	status    molecule.Status
	size      func() int64
	free      func() int64                     // of the disk
	incidents func() map[molecule.Severity]int // that are open
	config    func() molecule.ConfigStatus     // nil when nobody may change it
}

// Status returns what does not change while the daemon runs, how large the
// store is, how many incidents are open, and who asks.
func (a *about) Status(ctx context.Context) (molecule.Status, error) {
	st := a.status
	st.StoreBytes, st.FreeBytes = a.size(), a.free()
	for _, n := range a.incidents() {
		st.OpenIncidents += n
	}
	if a.config != nil {
		st.Config = a.config()
	}
	st.Principal = molecule.PrincipalFrom(ctx).Name
	return st, nil
}

// describe fills in what Status tells.
func (d *Daemon) describe() *about {
	guard := "on"
	if d.cfg.Org() == "" {
		guard = "off: no organisation is configured"
	}
	return &about{size: d.store.Size, free: func() int64 { return freeBytes(d.dir) }, incidents: d.incidents.Counts, status: molecule.Status{
		Version: molecule.Version(), PID: os.Getpid(), StartedAt: molecule.Now(), OrgID: d.cfg.Org(),
		TenantGuard: guard, DataDir: d.dir, Listen: d.listening(), SchemaVersion: d.store.SchemaVersion(),
	}}
}

// freeBytes returns how much more fits where dir is; 0 when nobody can tell.
func freeBytes(dir string) int64 {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return 0 // of no consequence: whoever writes is told what is wrong
	}
	return int64(disk.Bavail) * int64(disk.Bsize) //nolint:unconvert // its type differs between systems
}
