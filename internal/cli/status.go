package cli

import (
	"context"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/term"
)

// newStatusCmd makes status.
func newStatusCmd(a *app) *cobra.Command {
	return a.asks(leaf{
		use:      "status",
		short:    "Who serves, and whom",
		long:     "Shows what the daemon says of itself: version, process, organisation, where its data is.",
		examples: "  molecli status\n  molecli status -o json",
		args:     exactly(),
	}, func(ctx context.Context, s *session, _ []string) error {
		status, err := s.client.Status(ctx)
		if err != nil {
			return err
		}
		return statusView(s.client.Endpoint()).one(s.printer, status)
	})
}

// statusView shows the daemon behind an endpoint.
func statusView(endpoint string) view[molecule.Status] {
	return view[molecule.Status]{
		noun: "daemons",
		name: func(molecule.Status) string { return endpoint },
		record: func(s molecule.Status) term.Record {
			return term.Record{
				{Title: "endpoint", Cell: term.Text(endpoint)},
				{Title: "version", Cell: term.Text(s.Version)},
				{Title: "pid", Cell: term.Text(strconv.Itoa(s.PID))},
				{Title: "started", Cell: term.When(s.StartedAt)},
				{Title: "org", Cell: term.Text(s.OrgID)},
				{Title: "tenant guard", Cell: term.Text(s.TenantGuard)},
				{Title: "data", Cell: term.Text(s.DataDir)},
				{Title: "listens", Cell: term.Text(strings.Join(s.Listen, " "))},
				{Title: "store", Cell: term.Size(s.StoreBytes)},
				{Title: "disk free", Cell: term.Size(s.FreeBytes)},
				{Title: "schema", Cell: term.Text(strconv.FormatInt(s.SchemaVersion, 10))},
				{Title: "incidents", Cell: openIncidentsCell(s.OpenIncidents)},
				{Title: "configuration", Cell: configurationCell(s.Config)},
				{Title: "you are", Cell: term.Text(s.Principal)},
			}
		},
	}
}

// configurationCell says whether the daemon runs with what its file says.
func configurationCell(c molecule.ConfigStatus) term.Cell {
	switch {
	case c.Error != "":
		return term.Toned(term.Bad, "not in use: "+c.Error)
	case len(c.NeedsRestart) > 0:
		return term.Toned(term.Warn, c.File+": "+strings.Join(c.NeedsRestart, ", ")+" need a restart")
	case c.File == "":
		return term.Cell{}
	}
	return term.Toned(term.Good, c.File)
}

// openIncidentsCell says how many incidents are open.
func openIncidentsCell(n int) term.Cell {
	if n == 0 {
		return term.Toned(term.Good, "none open")
	}
	return term.Toned(term.Warn, strconv.Itoa(n)+" open: molecli incident list")
}

// version is which programs these are.
type version struct {
	Molecli  string `json:"molecli"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Daemon   string `json:"daemon,omitempty"`
}

// newVersionCmd makes version.
func newVersionCmd(a *app) *cobra.Command {
	var daemon bool
	cmd := leaf{
		use:      "version",
		short:    "Print the version",
		long:     "Prints the version of molecli, and with --daemon that of the daemon it would talk to.",
		examples: "  molecli version\n  molecli version --daemon -o json",
		args:     exactly(),
		run: func(ctx context.Context, _ []string) error {
			p, err := a.printer()
			if err != nil {
				return err
			}
			v := version{Molecli: molecule.Version(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
			if daemon {
				s, err := a.session(ctx)
				if err != nil {
					return err
				}
				status, err := s.client.Status(ctx)
				if err != nil {
					return err
				}
				v.Daemon = status.Version
			}
			return p.version(v)
		},
	}.command()
	cmd.Flags().BoolVar(&daemon, "daemon", false, "ask the daemon for its version too")
	return cmd
}

// version writes the versions in the face that is asked for.
func (p *printer) version(v version) error {
	if p.structured() {
		return p.encode(v)
	}
	if err := p.line("molecli %s %s %s", v.Molecli, v.Go, v.Platform); err != nil || v.Daemon == "" {
		return err
	}
	return p.line("moleculed %s", v.Daemon)
}
