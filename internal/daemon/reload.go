package daemon

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// reloadEvery is how often the subsystem says that what runs is what the file
// says, as far as it was asked.
const reloadEvery = 10 * time.Second

// reloader reads the configuration again when it is told to; its Run is the
// subsystem configuration. What cannot be used changes nothing, and is told by
// the log, by status and by a subsystem that is not well.
type reloader struct {
	file    string
	asked   <-chan os.Signal
	load    func() (Config, error)
	apply   func(Config) // what can be changed while the daemon runs
	started Config
	log     *slog.Logger

	mu    sync.Mutex
	state molecule.ConfigStatus
	err   error // why what is in the file is not used
}

// reloading has the daemon read its configuration again when asked says so.
// Call it before Run.
func (d *Daemon) reloading(file string, asked <-chan os.Signal, load func() (Config, error), level *slog.LevelVar) error {
	if file == "" {
		file = systemConfig
	}
	r := &reloader{
		file: file, asked: asked, load: load, started: d.cfg, log: d.log.With("subsystem", "configuration"),
		state: molecule.ConfigStatus{File: file, LoadedAt: molecule.Now()},
		apply: func(c Config) {
			level.Set(levelOf(c.Log))
			d.retention.SetRules(c.Retention.rules(d.cfg.Dispatch.budget()))
		},
	}
	d.services.about.config = r.status
	return d.supervisor.Add(supervised.Spec{
		Name: "configuration", Run: r.Run, Every: 3 * reloadEvery, TickLimit: 10 * time.Second, StopGrace: 5 * time.Second, Optional: true,
	})
}

// hangups returns the SIGHUPs of this process, until stop is called. Before, one
// would end it.
func hangups() (asked <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1) // one more while a file is read is enough
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// Run reads whenever it is asked to, until ctx ends. There is no heartbeat while
// the file holds what cannot be used.
func (r *reloader) Run(ctx context.Context, beat *supervised.Beat) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		again := false
		select {
		case <-ctx.Done():
			return nil
		case <-r.asked:
			again = true
		case <-timer.C:
		}
		// Its error was logged when it came up, and stands in liveness.
		_ = beat.Tick(ctx, func(ctx context.Context) error {
			if again {
				r.reload(ctx)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.err
		})
		timer.Reset(reloadEvery)
	}
}

// reload reads, and applies what can be applied.
func (r *reloader) reload(ctx context.Context) {
	cfg, err := r.load()
	if err != nil {
		// Without the lines around it, in which there may be what is nobody's business.
		says, _, _ := strings.Cut(err.Error(), "\n")
		err = molecule.Errorf(molecule.CodeOf(err), "%s", says).WithHint("moleculed check-config --config %s", r.file)
		r.log.ErrorContext(ctx, "the configuration cannot be used, and the one before stays", "file", r.file, "err", err)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.err, r.state.Error = err, err.Error()
		return
	}
	r.apply(cfg)
	var restart []string
	for _, path := range differing(r.started, cfg) {
		if !reloadable(path) {
			restart = append(restart, path)
		}
	}
	if len(restart) > 0 {
		r.log.WarnContext(ctx, "some settings need a restart", "settings", restart)
	}
	r.log.InfoContext(ctx, "the configuration was read again", "file", r.file)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err, r.state = nil, molecule.ConfigStatus{File: r.file, LoadedAt: molecule.Now(), NeedsRestart: restart}
}

// status returns which configuration is in use.
func (r *reloader) status() molecule.ConfigStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// reloadable reports whether a setting can change while the daemon runs.
func reloadable(path string) bool {
	return path == "log.level" || strings.HasPrefix(path, "retention.")
}

// differing returns the paths of the settings that are not the same in both.
func differing(a, b Config) []string {
	return slices.DeleteFunc(settingPaths(), func(path string) bool {
		return reflect.DeepEqual(valueAt(a, path), valueAt(b, path))
	})
}

// valueAt returns the value of a setting; an empty list is none.
func valueAt(c Config, path string) any {
	v := reflect.ValueOf(c)
	for name := range strings.SplitSeq(path, ".") {
		t := v.Type()
		for i := range t.NumField() {
			if t.Field(i).Tag.Get("yaml") == name {
				v = v.Field(i)
				break
			}
		}
	}
	if v.Kind() == reflect.Slice && v.Len() == 0 {
		return nil
	}
	return v.Interface()
}
