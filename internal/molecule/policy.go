package molecule

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// CatchUp says which of the slots that passed unseen fire late.
type CatchUp string

// The values of CatchUp. Whatever does not fire is recorded as missed.
const (
	CatchUpLatest CatchUp = "latest" // the newest, unless the next is due or it is a day old
	CatchUpNone   CatchUp = "none"
	CatchUpAll    CatchUp = "all"    // the newest CatchUpMax of them, spread
	CatchUpWindow CatchUp = "window" // the newest, when it is no older than CatchUpWindow
)

// Overlap says what a slot does that comes while a run of its schedule is open.
type Overlap string

// The values of Overlap.
const (
	OverlapSkip    Overlap = "skip"
	OverlapQueue   Overlap = "queue"   // one waits, the next is skipped
	OverlapReplace Overlap = "replace" // the open run is canceled first
	OverlapAllow   Overlap = "allow"
)

// JitterMode says what moves a slot within its jitter.
type JitterMode string

// The values of JitterMode.
const (
	JitterOffset JitterMode = "offset" // each slot of a schedule by the same time
	JitterSpread JitterMode = "spread" // each slot by another
)

// Resend says whether a prompt may be sent again when nobody can say what
// became of it. Each sending carries the same message id.
type Resend string

// The values of Resend.
const (
	ResendNever Resend = "never"
	ResendSafe  Resend = "safe" // the agent knows a message it has seen
)

// Bounds of policies.
const (
	MaxJitter      = 24 * time.Hour
	MaxRetries     = 10
	DefaultCatchUp = 10  // slots that fire under CatchUpAll
	MaxCatchUp     = 100 // slots that may be asked for under CatchUpAll
	maxCalendars   = 16
)

// Policy says what a schedule does with slots that are not as any other. The
// zero Policy has the default for each.
type Policy struct {
	CatchUp       CatchUp    `json:"catch_up,omitempty"`
	CatchUpWindow Duration   `json:"catch_up_window,omitempty"`
	CatchUpMax    int        `json:"catch_up_max,omitempty"`
	Overlap       Overlap    `json:"overlap,omitempty"`
	Jitter        Duration   `json:"jitter,omitempty"`
	JitterMode    JitterMode `json:"jitter_mode,omitempty"`
	Retries       *int       `json:"retries,omitempty"` // further attempts at most; nil: as many as the outcome is worth
	Resend        Resend     `json:"resend,omitempty"`
	Budget        *Budget    `json:"budget,omitempty"`
	Exclusions    []string   `json:"exclusions,omitempty"` // names of calendars
	MaxRuns       int        `json:"max_runs,omitempty"`   // slots that fire before it is finished; 0: no end
	Until         time.Time  `json:"until,omitzero"`       // no slot behind it
}

// Effective returns p with every default written out.
func (p Policy) Effective() Policy {
	p.CatchUp = orElse(p.CatchUp, CatchUpLatest)
	p.Overlap = orElse(p.Overlap, OverlapSkip)
	p.Resend = orElse(p.Resend, ResendNever)
	if p.Jitter > 0 {
		p.JitterMode = orElse(p.JitterMode, JitterOffset)
	}
	if p.CatchUp == CatchUpAll && p.CatchUpMax == 0 {
		p.CatchUpMax = DefaultCatchUp
	}
	return p
}

// Canonical returns p without what is the default, as it is stored.
func (p Policy) Canonical() Policy {
	p.CatchUp = unless(p.CatchUp, CatchUpLatest)
	p.Overlap = unless(p.Overlap, OverlapSkip)
	p.Resend = unless(p.Resend, ResendNever)
	p.JitterMode = unless(p.JitterMode, JitterOffset)
	if p.CatchUpMax == DefaultCatchUp {
		p.CatchUpMax = 0
	}
	if p.Budget != nil && *p.Budget == (Budget{}) {
		p.Budget = nil
	}
	if len(p.Exclusions) == 0 {
		p.Exclusions = nil
	}
	p.Until = p.Until.UTC()
	return p
}

func orElse[T ~string](v, fallback T) T {
	if v == "" {
		return fallback
	}
	return v
}

func unless[T ~string](v, fallback T) T {
	if v == fallback {
		return ""
	}
	return v
}

// Validate refuses values that no policy has, and settings that contradict
// each other.
func (p Policy) Validate() error {
	for _, err := range []error{
		choice("catch-up policy", p.CatchUp, CatchUpLatest, CatchUpNone, CatchUpAll, CatchUpWindow),
		choice("overlap policy", p.Overlap, OverlapSkip, OverlapQueue, OverlapReplace, OverlapAllow),
		choice("jitter mode", p.JitterMode, JitterOffset, JitterSpread),
		choice("resend policy", p.Resend, ResendNever, ResendSafe),
		within("jitter", time.Duration(p.Jitter), 0, MaxJitter),
		p.validateCatchUp(),
		p.validateLimits(),
	} {
		if err != nil {
			return err
		}
	}
	if p.Budget != nil {
		return p.Budget.Validate()
	}
	return nil
}

func (p Policy) validateCatchUp() error {
	switch window := time.Duration(p.CatchUpWindow); {
	case p.CatchUp == CatchUpWindow && window == 0:
		return Errorf(Invalid, "catch-up policy window needs its length").WithHint("for example --catch-up-window 6h")
	case window != 0 && p.CatchUp == CatchUpNone:
		return Errorf(Invalid, "catch_up_window says nothing under catch-up policy none").WithHint("leave it out, or use --catch-up window")
	case p.CatchUpMax != 0 && p.CatchUp != CatchUpAll:
		return Errorf(Invalid, "catch_up_max says nothing under catch-up policy %s", orElse(p.CatchUp, CatchUpLatest)).
			WithHint("leave it out, or use --catch-up all")
	case p.CatchUpMax < 0 || p.CatchUpMax > MaxCatchUp:
		return Errorf(Invalid, "catch_up_max is %d, it must be between 1 and %d", p.CatchUpMax, MaxCatchUp)
	default:
		return within("catch_up_window", window, 0, 366*24*time.Hour)
	}
}

func (p Policy) validateLimits() error {
	if p.Retries != nil && (*p.Retries < 0 || *p.Retries > MaxRetries) {
		return Errorf(Invalid, "retries is %d, it must be between 0 and %d", *p.Retries, MaxRetries)
	}
	if p.MaxRuns < 0 {
		return Errorf(Invalid, "max_runs is %d, it must not be negative", p.MaxRuns)
	}
	if p.JitterMode != "" && p.Jitter == 0 {
		return Errorf(Invalid, "jitter_mode %s says nothing without a jitter", p.JitterMode).WithHint("for example --jitter 2m")
	}
	if len(p.Exclusions) > maxCalendars {
		return Errorf(Invalid, "%d calendars are named, the most is %d", len(p.Exclusions), maxCalendars).WithHint("put their days into one")
	}
	for _, name := range p.Exclusions {
		if err := ValidateName("calendar", name); err != nil {
			return err
		}
	}
	return nil
}

// within refuses a duration outside [low, high].
func within(what string, d, low, high time.Duration) error {
	if d < low || d > high {
		return Errorf(Invalid, "%s is %s, it must be between %s and %s", what, Duration(d), Duration(low), Duration(high))
	}
	return nil
}

// Bounds of the window of a budget.
const (
	MinBudgetWindow     = time.Minute
	MaxBudgetWindow     = 31 * 24 * time.Hour
	DefaultBudgetWindow = 24 * time.Hour
)

// Budget bounds what may be spent in any stretch of time as long as Window. A
// zero bound is none. It is asked before a run is sent: one that is on its way
// may go beyond it.
type Budget struct {
	Runs    int      `json:"runs,omitempty"`
	Tokens  int64    `json:"tokens,omitempty"` // read and written, as agents report them
	CostUSD float64  `json:"cost_usd,omitempty"`
	Window  Duration `json:"window,omitempty"` // zero: a day
}

// Span returns the length of the window.
func (b Budget) Span() time.Duration {
	if b.Window == 0 {
		return DefaultBudgetWindow
	}
	return time.Duration(b.Window)
}

// String says what may be spent in which window; "" for no bound.
func (b Budget) String() string {
	var bounds []string
	if b.Runs > 0 {
		bounds = append(bounds, fmt.Sprintf("%d runs", b.Runs))
	}
	if b.Tokens > 0 {
		bounds = append(bounds, fmt.Sprintf("%d tokens", b.Tokens))
	}
	if b.CostUSD > 0 {
		bounds = append(bounds, fmt.Sprintf("%.2f USD", b.CostUSD))
	}
	if len(bounds) == 0 {
		return ""
	}
	return strings.Join(bounds, ", ") + " in " + Duration(b.Span()).String()
}

// Validate refuses negative bounds and a window nobody keeps records for.
func (b Budget) Validate() error {
	if b.Runs < 0 || b.Tokens < 0 || b.CostUSD < 0 {
		return Errorf(Invalid, "a bound of a budget is negative").WithHint("leave a bound out to have none")
	}
	if b.Window != 0 {
		if err := within("budget window", time.Duration(b.Window), MinBudgetWindow, MaxBudgetWindow); err != nil {
			return err
		}
		if b.Runs == 0 && b.Tokens == 0 && b.CostUSD == 0 {
			return Errorf(Invalid, "a budget window says nothing without a bound").WithHint("for example --budget-runs 100")
		}
	}
	return nil
}

// ParseCost reads an amount of US dollars. Infinity and NaN, which JSON cannot
// carry either, are Invalid.
func ParseCost(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0, Errorf(Invalid, "%q is not an amount of dollars", clip(text, 40)).WithHint("write it as 0.5")
	}
	return v, nil
}

// Spent is what was spent in the window of a budget.
type Spent struct {
	Runs    int
	Tokens  int64
	CostUSD float64
}

// Exhausted says which bound of b is reached; "" when none is.
func (b Budget) Exhausted(s Spent) string {
	span := Duration(b.Span())
	switch {
	case b.Runs > 0 && s.Runs >= b.Runs:
		return fmt.Sprintf("%d of %d runs in %s", s.Runs, b.Runs, span)
	case b.Tokens > 0 && s.Tokens >= b.Tokens:
		return fmt.Sprintf("%d of %d tokens in %s", s.Tokens, b.Tokens, span)
	case b.CostUSD > 0 && s.CostUSD >= b.CostUSD:
		return fmt.Sprintf("%.2f of %.2f USD in %s", s.CostUSD, b.CostUSD, span)
	}
	return ""
}
