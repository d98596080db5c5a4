package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/a2a"
	"github.com/molecule-ai/molecli/internal/api"
	"github.com/molecule-ai/molecli/internal/audit"
	"github.com/molecule-ai/molecli/internal/auth"
	"github.com/molecule-ai/molecli/internal/dispatch"
	"github.com/molecule-ai/molecli/internal/execagent"
	"github.com/molecule-ai/molecli/internal/inbox"
	"github.com/molecule-ai/molecli/internal/incident"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
	"github.com/molecule-ai/molecli/internal/platform"
	"github.com/molecule-ai/molecli/internal/registry"
	"github.com/molecule-ai/molecli/internal/relay"
	"github.com/molecule-ai/molecli/internal/retention"
	"github.com/molecule-ai/molecli/internal/scheduler"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/supervised"
	"github.com/molecule-ai/molecli/internal/systemd"
	"github.com/molecule-ai/molecli/internal/tenant"
	"github.com/molecule-ai/molecli/internal/vault"
	"github.com/molecule-ai/molecli/internal/vault/rotation"
)

// Daemon is one running moleculed.
type Daemon struct {
	cfg        Config
	dir        string
	log        *slog.Logger
	store      *sqlite.DB
	supervisor *supervised.Supervisor
	relay      *relay.Relay
	books      *bookkeeper
	incidents  *incident.Keeper
	heads      *audit.Exporter
	dead       *deadMan         // nil when nobody is called
	manager    *systemd.Manager // nil when nobody waits to be told
	inbox      *inbox.Service
	push       *a2a.Client
	agentFace  *platform.Face
	dispatcher *dispatch.Dispatcher
	scheduler  *scheduler.Scheduler
	retention  *retention.Keeper
	monitor    *registry.Monitor
	guard      *netguard.Guard
	tokens     *auth.Tokens
	secrets    *vault.Service
	rotator    *rotation.Keeper
	listeners  []net.Listener
	services   services
	handler    http.Handler
}

// New opens the store, binds the listeners and puts everything together; it
// starts nothing. Errors say which directory, address or setting is at fault.
// On an error nothing stays open.
func New(ctx context.Context, cfg Config, log *slog.Logger) (*Daemon, error) {
	dir, err := cfg.Dir()
	if err != nil {
		return nil, err
	}
	at, err := addresses(cfg.Listen)
	if err != nil {
		return nil, err
	}
	d := &Daemon{cfg: cfg, dir: dir, log: log}
	if d.manager, err = systemd.FromEnv(os.Getenv, os.Getpid()); err != nil {
		return nil, err
	}
	d.store, err = sqlite.Open(ctx, dir, sqlite.Options{Log: log.With("subsystem", "store-writer"), Migrating: d.migrating})
	if err != nil {
		return nil, err
	}
	if err := d.assemble(ctx, at); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// assemble makes everything behind the store.
func (d *Daemon) assemble(ctx context.Context, at []address) error {
	if err := d.dialling(at); err != nil {
		return err
	}
	d.supervisor = supervised.New(supervised.Options{Log: d.log})
	d.relay = relay.New(d.store, d.log.With("subsystem", "event-relay"))
	tokens, err := auth.LoadTokens(ctx, d.store)
	if err != nil {
		return err
	}
	d.tokens = tokens
	if d.secrets, err = unlock(ctx, d.store, d.cfg.Secrets, d.dir, d.log); err != nil {
		return err
	}
	d.books = newBookkeeper(d.store, d.supervisor.Transitions(), tokens.Used, d.relay.Seen())
	d.incidents = incident.New(incident.Options{
		Store: d.store, Transitions: d.supervisor.Transitions(), Subsystems: d.names, Log: d.log.With("subsystem", "incident-keeper"),
	})
	d.rotator, d.services.rotations = d.rotations()
	live := &liveness{supervisor: d.supervisor, books: d.books}
	d.services.live = live
	if d.heads, err = d.exporter(); err != nil {
		return err
	}
	if d.dead, err = d.deadMan(); err != nil {
		return err
	}
	metrics := d.running()
	if err := d.supervise(); err != nil {
		return err
	}
	if err := d.incidents.Load(ctx); err != nil {
		return err
	}
	handed, err := systemd.Listeners(os.Getenv, os.Getpid())
	if err != nil {
		return err
	}
	if d.listeners, err = bind(ctx, at, handed, d.cfg.Network); err != nil {
		return err
	}
	d.guard.SetBound(ports(d.listeners))
	d.services.about = d.describe()
	d.handler, err = d.face(metrics)
	return err
}

// dialling makes the guard of everything that is dialled.
func (d *Daemon) dialling(at []address) error {
	local, err := localAgents(d.cfg, at)
	if err != nil {
		return err
	}
	opts := netguard.Options{
		Local: local, InstanceID: uuid.NewString(), MaxConnects: d.cfg.Dispatch.MaxInProgress,
		AllowSinkHosts: d.cfg.Network.AllowSinkHosts, SinkProxy: d.cfg.Network.SinkProxy,
	}
	if d.cfg.Network.Resolver != "system" {
		opts.Resolver = d.cfg.Network.Resolver
	}
	for _, p := range d.cfg.Network.AllowPrefixes {
		prefix, err := parsePrefix(p)
		if err != nil {
			return err
		}
		opts.AllowPrefixes = append(opts.AllowPrefixes, prefix)
	}
	d.guard, err = netguard.New(opts)
	return err
}

// localAgents decides whether agents may be on this machine.
func localAgents(cfg Config, at []address) (bool, error) {
	public := false
	for _, a := range at {
		public = public || !a.loopback()
	}
	tenants := cfg.Org() != ""
	switch cfg.Network.LocalAgents {
	case "on":
		if public || tenants {
			return false, molecule.Errorf(molecule.Invalid, "network.local_agents is on together with an organisation id or a public listener").
				WithHint("agents on this machine would be reachable for everyone: use auto or off")
		}
		return true, nil
	case "off":
		return false, nil
	}
	return !public && !tenants, nil
}

// services are what the API serves.
type services struct {
	agents    *registry.Service
	schedules *scheduler.Service
	live      *liveness
	about     *about
	rotations *rotation.Service
}

// running makes what delivers and schedules.
func (d *Daemon) running() *metrics {
	var service *scheduler.Service // the dispatcher asks it, and it hands runs to the dispatcher
	m := newMetrics(d.services.live, func() (int, int) { return d.dispatcher.Load() }, d.incidents.Counts)
	d.push = a2a.New(a2a.Options{Guard: d.guard})
	d.inbox = inbox.New(inbox.Options{Store: d.store, OrgID: d.cfg.Org(), Log: d.log.With("subsystem", "inbox")})
	d.dispatcher = dispatch.New(dispatch.Options{
		Store: d.store,
		Couriers: map[molecule.AgentKind]dispatch.Courier{
			molecule.AgentPush: d.push,
			molecule.AgentPoll: d.inbox,
			molecule.AgentExec: execagent.New(execagent.Options{
				Log: d.log, MaxChildren: d.cfg.Dispatch.MaxInProgress,
			}),
		},
		Rules:    dispatch.Rules{PhantomReplies: d.cfg.Dispatch.PhantomReplies},
		Budget:   d.cfg.Dispatch.budget(),
		Drain:    d.cfg.Dispatch.Drain,
		Stale:    func(ctx context.Context, r molecule.Run, now time.Time) string { return service.Stale(ctx, r, now) },
		Finished: m.finished, Incidents: d.incidents, Alarm: new(dispatch.Alarm),
		Log: d.log.With("subsystem", "dispatcher"),
	})
	service = scheduler.NewService(scheduler.ServiceOptions{
		Store: d.store, Events: d.relay, Dispatcher: d.dispatcher, OrgID: d.cfg.Org(),
	})
	d.scheduler = scheduler.New(scheduler.Options{
		Store: d.claims(), Dispatcher: d.dispatcher, Service: service, OrgID: d.cfg.Org(),
		Jump: scheduler.NewWallClock().Jump,
		Log:  d.log.With("subsystem", "scheduler"),
	})
	d.retention = retention.New(retention.Options{
		Store: d.store, Rules: d.cfg.Retention.rules(d.cfg.Dispatch.budget()), Pruned: m.slice,
		Log: d.log.With("subsystem", "retention"),
	})
	d.monitor = registry.NewMonitor(registry.MonitorOptions{
		Store: d.store, Prober: d.push, Incidents: d.incidents, Returned: d.dispatcher.Returned,
		Log: d.log.With("subsystem", "agent-monitor"),
	})
	d.services.agents, d.services.schedules = registry.New(registry.Options{
		Store: d.store, Addresses: d.guard, Tokens: minter{d.tokens}, Resolve: execagent.Resolve, Reserved: d.inbox.ReplyAddress(),
		Monitor: d.monitor,
	}), service
	return m
}

// face makes the handler of every listener.
func (d *Daemon) face(m *metrics) (http.Handler, error) {
	trust, err := tenant.Trust(d.cfg.Tenant.TrustFlyReplay, os.Getenv)
	if err != nil {
		return nil, err
	}
	authn, err := auth.New(auth.Options{Tokens: d.tokens, Operators: d.cfg.Auth.Operators})
	if err != nil {
		return nil, err
	}
	guard, err := tenant.New(tenant.Options{
		OrgID: d.cfg.Org(), TrustFlyReplay: trust, LocalProof: auth.Local, TokenProof: authn.HasLiveToken,
	})
	if err != nil {
		return nil, err
	}
	if d.cfg.Org() == "" {
		d.log.Info("tenant guard is off: no organisation is configured")
	}
	s := d.services
	d.agentFace = d.newAgentFace(authn)
	return api.New(api.Deps{
		Agents: s.agents, Enrolments: s.agents, Schedules: s.schedules, Runs: s.schedules, Calendars: s.schedules, Events: d.relay, Incidents: d.incidents, Liveness: s.live, Status: s.about,
		Audit: audit.NewService(d.store), Refused: d.store.AppendAudit,
		Tokens: auth.NewService(d.store, d.tokens), TokensChanged: d.tokens.Changed, Secrets: d.secrets, Rotations: s.rotations,
		Ready: s.live.waiting, Metrics: m.handler(), Observe: m.request,
		Auth: authn, NotFound: tenant.NotFound,
		// A way back to ourselves is told only to whoever proved the organisation.
		Guard: func(next http.Handler) http.Handler {
			return guard.Wrap(netguard.RefuseLoops(d.guard.InstanceID(), next))
		},
		More: rowsOf(d.agentFace), Log: d.log.With("subsystem", "api"),
	}), nil
}

// urlOf writes where a listener is bound as --listen and --endpoint do.
func urlOf(l net.Listener) string {
	a := l.Addr()
	if a.Network() == "unix" {
		return "unix://" + a.String()
	}
	if _, ok := l.(*secured); ok {
		return "https://" + a.String()
	}
	return "http://" + a.String()
}

// Addr returns the bound address of the first listener of a network, "unix" or
// "tcp"; "" when there is none.
func (d *Daemon) Addr(network string) string {
	for _, l := range d.listeners {
		if l.Addr().Network() == network {
			return urlOf(l)
		}
	}
	return ""
}

// Run serves until ctx ends or a critical subsystem cannot be healed, which is
// the error. It returns when everything has stopped, in this order: requests,
// scheduler, dispatcher with the runs under way, the rest of the table from
// the bottom up, and the database last.
func (d *Daemon) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var parts sync.WaitGroup
	var failed error // why the supervisor gave up
	parts.Go(func() {
		failed = d.supervisor.Run(ctx)
		stop(failed)
	})

	first, err := firstToken(ctx, d.store, d.dir, d.log)
	if first != nil {
		d.tokens.Put(*first)
	}
	if err == nil {
		d.log.Info("serving", "version", molecule.Version(), "data_dir", d.dir, "listen", d.listening())
		err = d.serve(ctx, stop)
	}
	cause := context.Cause(ctx)
	stop(err)
	parts.Wait()
	switch {
	case failed != nil:
		err = failed // whatever else went wrong, went wrong because of it
	case err == nil, errors.Is(err, context.Canceled):
		err = cause // also when it was told to stop before it had begun
	}
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, d.lastBooks(context.WithoutCancel(ctx)), d.close())
}

// lastBooks stores the transitions of stopping, which came when the writer had
// stopped itself, and with them why the daemon could not go on.
func (d *Daemon) lastBooks(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	return withWriter(ctx, d.store, func(ctx context.Context) error {
		return errors.Join(d.books.transitions.Drain(ctx, d.store.AppendSubsystemEvents), d.incidents.Flush(ctx))
	})
}

func (d *Daemon) listening() []string {
	var all []string
	for _, l := range d.listeners {
		all = append(all, urlOf(l))
	}
	return all
}

// close closes what New opened, the store last.
func (d *Daemon) close() error {
	return errors.Join(d.closeListeners(), d.store.Close())
}
