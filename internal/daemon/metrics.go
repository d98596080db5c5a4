package daemon

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// metrics counts what operators graph. No name of an agent, a schedule or a
// secret is ever a label.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	runs     *prometheus.CounterVec
	lag      prometheus.Histogram
	pruned   *prometheus.CounterVec
	slices   prometheus.Histogram
}

// newMetrics registers everything; live is asked at each scrape.
func newMetrics(
	live *liveness, dispatching func() (queued, active int), incidents func() map[molecule.Severity]int,
) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "molecule_http_request_seconds", Help: "Time to answer, by route and status.",
			Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 30},
		}, []string{"route", "status"}),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "molecule_runs_total", Help: "Runs that ended, by outcome.",
		}, []string{"outcome"}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "molecule_scheduler_lag_seconds", Help: "Time from a slot's due instant to the start of its run.",
			Buckets: []float64{.001, .005, .01, .025, .1, .5, 1, 5, 30},
		}),
		pruned: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "molecule_pruned_rows_total", Help: "Rows that retention removed, by what they were.",
		}, []string{"kind"}),
		slices: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "molecule_prune_slice_seconds", Help: "Time the writer was held by one slice of pruning.",
			Buckets: []float64{.0001, .00025, .0005, .001, .002, .005, .025},
		}),
	}
	for _, o := range molecule.Outcomes() {
		m.runs.WithLabelValues(string(o)) // zero is a figure too
	}
	m.registry.MustRegister(m.requests, m.runs, m.lag, m.pruned, m.slices,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&liveCollector{live: live, dispatching: dispatching, incidents: incidents})
	return m
}

// handler answers a scrape.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// request notes one answered request.
func (m *metrics) request(route string, status int, seconds float64) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Observe(seconds)
}

// finished notes one run that has ended.
func (m *metrics) finished(r molecule.Run) {
	m.runs.WithLabelValues(string(r.Outcome)).Inc()
	if r.Trigger != molecule.TriggerManual && !r.StartedAt.IsZero() {
		m.lag.Observe(r.StartedAt.Sub(r.DueAt).Seconds())
	}
}

// slice notes what one slice of pruning removed.
func (m *metrics) slice(kind string, rows int, held time.Duration) {
	m.pruned.WithLabelValues(kind).Add(float64(rows))
	m.slices.Observe(held.Seconds())
}

// liveCollector reads the liveness at each scrape, so that no copy can grow old.
type liveCollector struct {
	live        *liveness
	dispatching func() (queued, active int)
	incidents   func() map[molecule.Severity]int
}

// desc names one figure of the collector.
func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("molecule_"+name, help, labels, nil)
}

// Describe sends nothing: the set of subsystems is known only when asked.
func (c *liveCollector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the state of each subsystem and the counts.
func (c *liveCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	up := desc("subsystem_healthy", "1 while a subsystem is healthy.", "subsystem")
	age := desc("subsystem_last_tick_age_seconds", "Age of the last good tick.", "subsystem")
	restarts := desc("subsystem_restarts", "Restarts since the daemon started.", "subsystem")
	for _, s := range c.live.supervisor.Snapshot() {
		healthy := 0.0
		if s.State == molecule.SubsystemHealthy {
			healthy = 1
		}
		gauge(up, healthy, s.Name)
		gauge(restarts, float64(s.Restarts), s.Name)
		if s.SecondsAgo != nil {
			gauge(age, *s.SecondsAgo, s.Name)
		}
	}
	queued, active := c.dispatching()
	gauge(desc("runs_queued", "Runs that wait for their agent's place."), float64(queued))
	gauge(desc("runs_active", "Runs being delivered."), float64(active))
	open := desc("incidents_open", "Incidents that are open, by severity.", "severity")
	for severity, n := range c.incidents() {
		gauge(open, float64(n), string(severity))
	}
	if n := c.live.books.latest.Load(); n != nil {
		agents := desc("agents", "Agents by state.", "state")
		gauge(agents, float64(n.agents.Online), "online")
		gauge(agents, float64(n.agents.Degraded), "degraded")
		gauge(agents, float64(n.agents.Suspect), "suspect")
		gauge(agents, float64(n.agents.Offline), "offline")
		gauge(agents, float64(n.agents.Unknown), "unknown")
		gauge(agents, float64(n.agents.Pending), "pending")
		gauge(agents, float64(n.agents.Paused), "paused")
		schedules := desc("schedules", "Schedules by how they do.", "state")
		gauge(schedules, float64(n.schedules.OnTime), "on_time")
		gauge(schedules, float64(n.schedules.Late), "late")
		gauge(schedules, float64(n.schedules.Failing), "failing")
		gauge(schedules, float64(n.schedules.Paused), "paused")
		gauge(schedules, float64(n.schedules.Error), "error")
	}
}
