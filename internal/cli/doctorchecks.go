package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
	"github.com/molecule-ai/molecli/internal/wire"
)

// What doctor takes for worth a word.
const (
	tokenNearEnd = 14 * 24 * time.Hour // a token that ends within it
	clockApart   = 5 * time.Second     // clocks that differ by more
	diskLow      = 512 << 20           // less room than this
	diskFull     = 32 << 20            // and so little that it is as good as none
)

// checks returns what is looked at behind the settings, in order: each finding
// is about the first thing that is wrong, and what builds upon it is skipped.
func (d *doctor) checks() []check {
	return []check{
		{"endpoint", "", d.lookEndpoint},
		{"token", "endpoint", d.lookToken},
		{"identity", "token", d.lookIdentity},
		{"daemon", "identity", d.lookDaemon},
		{"clock", "daemon", d.lookClock},
		{"subsystems", "daemon", d.lookSubsystems},
		{"incidents", "daemon", d.lookIncidents},
		{"agents", "subsystems", d.lookAgents},
		{"schedules", "subsystems", d.lookSchedules},
		{"disk", "daemon", d.lookDisk},
	}
}

// lookEndpoint finds out where the daemon is, or why it is not there.
func (d *doctor) lookEndpoint(ctx context.Context) finding {
	if d.config.Endpoint != "" {
		d.endpoint = d.config.Endpoint
		if _, err := client.New(client.Options{Endpoint: d.endpoint}); err != nil {
			return d.failedBy(ctx, err)
		}
		return well(d.endpoint + " (" + d.app.values.source["endpoint"] + ")")
	}
	sockets := client.Sockets(d.app.env.Lookup)
	all := client.Accepting(ctx, sockets)
	if len(all) == 0 {
		return d.nobody(ctx, sockets)
	}
	d.endpoint = all[0]
	if len(all) > 1 {
		return advice("several daemons answer, the first is meant: "+strings.Join(all, ", "), "molecli config set endpoint "+all[0])
	}
	return well(d.endpoint + ", the first socket that accepts")
}

// nobody says why no socket accepts, as far as can be seen from here.
func (d *doctor) nobody(ctx context.Context, sockets []string) finding {
	for _, path := range sockets {
		if _, err := os.Stat(path); !filepath.IsAbs(path) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if errors.Is(d.knock(ctx, path), fs.ErrPermission) {
			return broken(wire.ExitUnreachable, "you may not use the socket "+path, `sudo usermod -aG moleculed "$USER", then log in again`)
		}
		return broken(wire.ExitUnreachable, "there is a socket at "+path+", and nobody accepts", howToStart())
	}
	return broken(wire.ExitUnreachable, "nobody accepts at "+strings.Join(sockets, ", "), howToStart())
}

// knock tries a socket and returns why it did not open.
func (d *doctor) knock(ctx context.Context, socket string) error {
	c, err := client.New(client.Options{Endpoint: "unix://" + socket, Timeout: d.config.Timeout})
	if err != nil {
		return err
	}
	_, err = c.Clock(ctx)
	return err
}

// howToStart is how a daemon is started here.
func howToStart() string {
	for _, dir := range []string{"/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"} {
		if _, err := os.Stat(filepath.Join(dir, "moleculed.service")); err == nil {
			return "sudo systemctl enable --now moleculed.socket moleculed"
		}
	}
	return "moleculed serve"
}

// lookToken judges the token before anybody is asked.
func (d *doctor) lookToken(ctx context.Context) finding {
	remote, path := strings.HasPrefix(d.endpoint, "http"), d.config.TokenFile
	opts := client.Options{Endpoint: d.endpoint, Org: d.config.Org, Timeout: d.config.Timeout}
	found := well("none is needed: on a socket the kernel says who you are")
	switch {
	case path == "" && remote:
		return broken(wire.ExitForbidden, "none, and "+d.endpoint+" wants one", "molecli login --endpoint "+d.endpoint+" < FILE")
	case path != "":
		token, err := client.ReadToken(path)
		if err != nil {
			f := d.failedBy(ctx, err)
			f.mend = closeToOthers(path)
			return f
		}
		opts.Token, found = token, well("read from "+path+" ("+d.app.values.source["token_file"]+")")
	}
	var err error
	if d.client, err = client.New(opts); err != nil {
		return d.failedBy(ctx, err)
	}
	return found
}

// lookIdentity asks who the daemon takes us for.
func (d *doctor) lookIdentity(ctx context.Context) finding {
	id, err := d.client.WhoAmI(ctx)
	if err != nil {
		return d.failedBy(ctx, err)
	}
	found := fmt.Sprintf("%s, by %s, may: %s", id.Name, id.Source, scopesText(id.Scopes))
	if left := id.ExpiresAt.Sub(d.app.now()); !id.ExpiresAt.IsZero() && left < tokenNearEnd {
		return advice(found+"; the token ends in "+term.Span(left), "molecli token add NAME --scope SCOPE --token-out FILE, then molecli login < FILE")
	}
	return well(found)
}

// lookDaemon asks what the daemon says of itself.
func (d *doctor) lookDaemon(ctx context.Context) finding {
	var err error
	if d.status, err = d.client.Status(ctx); err != nil {
		return d.failedBy(ctx, err)
	}
	found := "moleculed " + d.status.Version
	if d.status.OrgID != "" {
		found += " of organisation " + d.status.OrgID
	}
	if c := d.status.Config; c.Error != "" {
		return advice(found+" runs with an older configuration: "+c.Error, "mend it, try moleculed check-config --config "+c.File+", and send the daemon SIGHUP")
	} else if len(c.NeedsRestart) > 0 {
		return advice(found+" needs a restart for "+strings.Join(c.NeedsRestart, ", "), "systemctl restart moleculed, or restart it where it was started")
	}
	if d.status.Version != molecule.Version() {
		return advice(found+", and molecli is "+molecule.Version(), "install the same version of both")
	}
	return well(found)
}

// lookClock compares our clock with the daemon's, which decides when a slot is due.
func (d *doctor) lookClock(ctx context.Context) finding {
	if !strings.HasPrefix(d.endpoint, "http") {
		return well("the daemon's is this machine's")
	}
	theirs, err := d.client.Clock(ctx)
	if err != nil {
		return d.failedBy(ctx, err)
	}
	apart := d.app.now().Sub(theirs)
	if apart.Abs() < clockApart {
		return well("the daemon's and this machine's agree")
	}
	side := "behind"
	if apart < 0 {
		side = "ahead"
	}
	return advice(fmt.Sprintf("the daemon's is %s %s this machine's; slots go by the daemon's", term.Span(apart.Abs()), side), "timedatectl, on both")
}

// lookSubsystems judges as liveness does.
func (d *doctor) lookSubsystems(ctx context.Context) finding {
	var err error
	if d.liveness, err = d.client.Liveness(ctx); err != nil {
		return d.failedBy(ctx, err)
	}
	var bad []string
	for _, name := range slices.Sorted(maps.Keys(d.liveness.Subsystems)) {
		s := d.liveness.Subsystems[name]
		if fine(s) {
			continue
		}
		what := name + " is " + string(s.State)
		if why := trouble(part{name, s}); why != "" {
			what += " (" + why + ")"
		}
		bad = append(bad, what)
	}
	if len(bad) == 0 {
		return well(fmt.Sprintf("all %d are well", len(d.liveness.Subsystems)))
	}
	name, _, _ := strings.Cut(bad[0], " ")
	return broken(livenessExit(d.liveness), strings.Join(bad, ", "), "molecli liveness dump "+name)
}

// lookIncidents tells of what is open. A critical one that nobody knows of has
// to be looked at.
func (d *doctor) lookIncidents(ctx context.Context) finding {
	page, err := d.client.Incidents(ctx, molecule.IncidentFilter{Limit: molecule.MaxLimit})
	if err != nil {
		return d.failedBy(ctx, err)
	}
	for _, i := range page.Items {
		if i.Severity == molecule.SeverityCritical && i.AckedAt.IsZero() {
			return broken(wire.ExitFailure, i.Title, "molecli incident show "+i.ID)
		}
	}
	if n := len(page.Items); n > 0 {
		return advice(fmt.Sprintf("open: %d, such as: %s", n, page.Items[0].Title), "molecli incident list")
	}
	return well("none is open")
}

// lookAgents tells of agents that are not there.
func (d *doctor) lookAgents(context.Context) finding {
	a, found := d.liveness.Agents, agentLine(d.liveness.Agents)
	switch {
	case a == molecule.AgentCounts{}:
		return well("none yet: molecli agent add NAME --exec 'COMMAND'")
	case a.Offline > 0:
		return advice(found, "molecli agent list --state offline")
	case a.Degraded > 0:
		return advice(found, "molecli agent list --state degraded")
	}
	return well(found)
}

// lookSchedules tells of schedules that do not fire.
func (d *doctor) lookSchedules(context.Context) finding {
	s, found := d.liveness.Schedules, scheduleLine(d.liveness.Schedules)
	switch {
	case s == molecule.ScheduleCounts{}:
		return well("none yet: molecli schedule add NAME --agent AGENT --cron '0 8 * * *' --prompt TEXT")
	case s.Error > 0:
		return broken(wire.ExitFailure, found, "molecli schedule list --state error")
	case s.Late > 0:
		return advice(found, "molecli schedule list --sort next")
	case s.Failing > 0:
		return advice(found, "molecli schedule list")
	}
	return well(found)
}

// lookDisk tells how much more history fits.
func (d *doctor) lookDisk(context.Context) finding {
	free := d.status.FreeBytes
	found := term.Size(free).Text + " free at " + d.status.DataDir
	switch {
	case free == 0:
		return well("the daemon does not say what is free at " + d.status.DataDir)
	case free < diskFull:
		return broken(wire.ExitFailure, found, "make room: df -h "+d.status.DataDir)
	case free < diskLow:
		return advice(found, "make room: df -h "+d.status.DataDir)
	}
	return well(found)
}

// closeToOthers returns what takes a file of one's own away from others, nil
// where that is not what is wrong with it.
func closeToOthers(path string) func() error {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return func() error { return os.Chmod(path, 0o600) }
}
