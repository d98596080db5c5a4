package molecule

import "time"

// Span is how long a period of a history is.
type Span string

// The spans. Both are counted in UTC.
const (
	SpanHour Span = "hour"
	SpanDay  Span = "day"
)

// Start returns the beginning of the period that t lies in.
func (s Span) Start(t time.Time) time.Time {
	if s == SpanHour {
		return t.UTC().Truncate(time.Hour)
	}
	return t.UTC().Truncate(24 * time.Hour)
}

// Period sums up what became of a schedule's slots in one hour or day, and of
// its runs by hand. A row of several slots counts where its first one lies; a
// run that has not ended does not count yet.
type Period struct {
	Start    time.Time       `json:"start"`
	Runs     int             `json:"runs"`
	Slots    int             `json:"slots"` // that the runs cover: more than runs when slots were missed
	Outcomes map[Outcome]int `json:"outcomes"`
	Took     Spread          `json:"took"` // from start to end, of runs that were started
	Lag      Spread          `json:"lag"`  // from when a slot was due to its start
}

// Count returns how many runs ended as is says.
func (p Period) Count(is func(Outcome) bool) int {
	n := 0
	for o, runs := range p.Outcomes {
		if is(o) {
			n += runs
		}
	}
	return n
}

// Missed returns how many slots nobody could fire: no other row covers more than
// one.
func (p Period) Missed() int {
	if p.Outcomes[OutcomeMissed] == 0 {
		return 0
	}
	return p.Outcomes[OutcomeMissed] + p.Slots - p.Runs
}

// Spread sums up how long something took.
type Spread struct {
	Runs      int   `json:"runs"`
	SumMillis int64 `json:"sum_ms"`
	MaxMillis int64 `json:"max_ms"`
}

// Mean returns how long it took on average; 0 when it never happened.
func (s Spread) Mean() time.Duration {
	if s.Runs == 0 {
		return 0
	}
	return time.Duration(s.SumMillis) * time.Millisecond / time.Duration(s.Runs)
}

// Max returns how long it took at most.
func (s Spread) Max() time.Duration { return time.Duration(s.MaxMillis) * time.Millisecond }

// HistoryFilter narrows a history. The zero value is every day that is kept.
type HistoryFilter struct {
	By     Span      // SpanDay when empty
	Since  time.Time // from the period it lies in
	Limit  int
	Cursor string
}
