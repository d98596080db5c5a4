package daemon

import (
	"strconv"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/retention"
)

// RetentionConfig says how much history is kept and for how long. The keys are
// listed in retentionKeys.
type RetentionConfig struct {
	Runs        int `yaml:"runs"`
	RunDays     int `yaml:"run_days"`
	FailureDays int `yaml:"failure_days"`
	MaxRuns     int `yaml:"max_runs"`

	AgentRuns    int `yaml:"agent_runs"`
	AgentRunDays int `yaml:"agent_run_days"`

	HourDays int `yaml:"hour_days"`
	DayDays  int `yaml:"day_days"`

	EventDays          int `yaml:"event_days"`
	MaxEvents          int `yaml:"max_events"`
	SubsystemEventDays int `yaml:"subsystem_event_days"`
	IncidentDays       int `yaml:"incident_days"`
	PromptHours        int `yaml:"prompt_hours"`
	RemovedDays        int `yaml:"removed_days"`
}

// retentionKey is one key, its field and what it may be.
type retentionKey struct {
	name      string
	field     func(*RetentionConfig) *int
	def       int
	low, high int
}

// retentionKeys is the one list of retention.*.
func retentionKeys() []retentionKey {
	const days, many = 36_500, 1_000_000_000
	return []retentionKey{
		{"runs", func(c *RetentionConfig) *int { return &c.Runs }, 100, 1, 1_000_000},
		{"run_days", func(c *RetentionConfig) *int { return &c.RunDays }, 30, 1, days},
		{"failure_days", func(c *RetentionConfig) *int { return &c.FailureDays }, 90, 1, days},
		{"max_runs", func(c *RetentionConfig) *int { return &c.MaxRuns }, 500_000, 1, many},
		{"agent_runs", func(c *RetentionConfig) *int { return &c.AgentRuns }, 1000, 1, 1_000_000},
		{"agent_run_days", func(c *RetentionConfig) *int { return &c.AgentRunDays }, 30, 1, days},
		{"hour_days", func(c *RetentionConfig) *int { return &c.HourDays }, 90, 1, days},
		{"day_days", func(c *RetentionConfig) *int { return &c.DayDays }, 1830, 1, days},
		{"event_days", func(c *RetentionConfig) *int { return &c.EventDays }, 30, 1, days},
		{"max_events", func(c *RetentionConfig) *int { return &c.MaxEvents }, 500_000, 1000, many},
		{"subsystem_event_days", func(c *RetentionConfig) *int { return &c.SubsystemEventDays }, 90, 1, days},
		{"incident_days", func(c *RetentionConfig) *int { return &c.IncidentDays }, 365, 1, days},
		{"prompt_hours", func(c *RetentionConfig) *int { return &c.PromptHours }, 24, 1, 24 * days},
		{"removed_days", func(c *RetentionConfig) *int { return &c.RemovedDays }, 30, 1, days},
	}
}

// defaultRetention returns the default of every key.
func defaultRetention() (c RetentionConfig) {
	for _, k := range retentionKeys() {
		*k.field(&c) = k.def
	}
	return c
}

// retentionSettings returns what a variable may override.
func retentionSettings() (all []setting) {
	for _, k := range retentionKeys() {
		all = append(all, setting{"retention." + k.name, parsed(func(c *Config) *int { return k.field(&c.Retention) }, strconv.Atoi)})
	}
	return all
}

// check refuses what contradicts itself.
func (c RetentionConfig) check(refuse refuser) {
	for _, pair := range []struct {
		short, long string
		low, high   int
	}{
		{"run_days", "failure_days", c.RunDays, c.FailureDays},
		{"hour_days", "day_days", c.HourDays, c.DayDays},
		{"runs", "max_runs", c.Runs, c.MaxRuns},
	} {
		if pair.low > pair.high {
			refuse("retention."+pair.short, molecule.Errorf(molecule.Invalid, "retention.%s is %d and retention.%s only %d", pair.short, pair.low, pair.long, pair.high).
				WithHint("what is kept longer needs the larger number"), "retention."+pair.long)
		}
	}
}

// rules returns c as package retention wants it.
func (c RetentionConfig) rules(budget molecule.Budget) retention.Rules {
	days := func(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }
	return retention.Rules{
		Runs: c.Runs, RunAge: days(c.RunDays), FailureAge: days(c.FailureDays), MaxRuns: c.MaxRuns,
		AgentRuns: c.AgentRuns, AgentRunAge: days(c.AgentRunDays), HourAge: days(c.HourDays), DayAge: days(c.DayDays),
		EventAge: days(c.EventDays), MaxEvents: c.MaxEvents, SubsystemEventAge: days(c.SubsystemEventDays),
		IncidentAge: days(c.IncidentDays), PromptAge: time.Duration(c.PromptHours) * time.Hour, RemovedAge: days(c.RemovedDays),
		Budget: budget,
	}
}
