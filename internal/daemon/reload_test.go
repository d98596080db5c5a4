package daemon

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// TestReload_appliesWhatItCanAndNamesTheRest goes through a good file, one that
// wants a restart, a bad one and a good one again.
func TestReload_appliesWhatItCanAndNamesTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := make(chan os.Signal)
		var next Config
		var broken error
		var applied []string
		var said logged
		r := &reloader{
			file: "/etc/m.yaml", asked: asked, started: DefaultConfig(), log: slog.New(slog.NewTextHandler(&said, nil)),
			load:  func() (Config, error) { return next, broken },
			apply: func(c Config) { applied = append(applied, c.Log.Level) },
		}
		sup := supervised.New(supervised.Options{})
		if err := sup.Add(supervised.Spec{Name: "configuration", Run: r.Run, Every: 3 * reloadEvery, Optional: true}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var parts sync.WaitGroup
		parts.Go(func() { _ = sup.Run(ctx) })
		hangup := func(change func(*Config), err error) molecule.ConfigStatus {
			next, broken = DefaultConfig(), err
			change(&next)
			asked <- syscall.SIGHUP
			synctest.Wait()
			st := r.status()
			st.LoadedAt = time.Time{}
			return st
		}
		same := func(*Config) {}

		got := hangup(func(c *Config) { c.Log.Level, c.Retention.Runs = "debug", 7 }, nil)
		if diff := cmp.Diff(got, molecule.ConfigStatus{File: "/etc/m.yaml"}); diff != "" {
			t.Errorf("what can be changed (-got +want):\n%s", diff)
		}
		got = hangup(func(c *Config) { c.Log.Format, c.Dispatch.Drain = "json", time.Second }, nil)
		if diff := cmp.Diff(got.NeedsRestart, []string{"dispatch.drain", "log.format"}); diff != "" {
			t.Errorf("what cannot (-got +want):\n%s", diff)
		}
		got = hangup(same, molecule.Errorf(molecule.Invalid, "m.yaml:2:3: unknown field\n  2 | token: x"))
		if got.Error != "m.yaml:2:3: unknown field" || len(got.NeedsRestart) != 2 {
			t.Errorf("a bad file: got %+v, want its error beside what was known", got)
		}
		time.Sleep(20 * reloadEvery) // longer than it may say nothing
		if ok, states := sup.IsHealthy("configuration"); ok || states[0].LastError != "m.yaml:2:3: unknown field" {
			t.Errorf("a bad file: the subsystem is %+v", states)
		}
		if got = hangup(same, nil); got.Error != "" || got.NeedsRestart != nil {
			t.Errorf("a good file again: got %+v", got)
		}
		if ok, states := sup.IsHealthy("configuration"); !ok {
			t.Errorf("a good file again: the subsystem is %+v", states)
		}
		if diff := cmp.Diff(applied, []string{"debug", "info", "info"}); diff != "" {
			t.Errorf("applied (-got +want):\n%s", diff)
		}
		for _, want := range []string{`level=WARN msg="some settings need a restart" settings="[dispatch.drain log.format]"`, `level=ERROR msg="the configuration cannot be used`} {
			if !strings.Contains(said.String(), want) {
				t.Errorf("%q is not in the log:\n%s", want, said.String())
			}
		}
		cancel()
		parts.Wait()
	})
}

func TestDiffering_findsEachSettingThatChanged(t *testing.T) {
	t.Parallel()
	org, other := "acme", DefaultConfig()
	other.OrgID, other.Listen, other.Auth.Operators, other.Retention.Runs = &org, nil, []string{"ann"}, 7
	got := differing(DefaultConfig(), other)
	slices.Sort(got)
	if diff := cmp.Diff(got, []string{"auth.operators", "org_id", "retention.runs"}); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
}
