package molecule

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// dateLayout is how a civil date is written.
const dateLayout = time.DateOnly

// maxDayRanges is how many ranges one calendar may have.
const maxDayRanges = 1000

// DayRange is a stretch of civil dates, both ends included, written
// "2026-12-24" or "2026-12-24..2027-01-02".
type DayRange struct{ From, To string }

// ParseDayRange reads a date or a range of dates.
func ParseDayRange(text string) (DayRange, error) {
	from, to, ranged := strings.Cut(strings.TrimSpace(text), "..")
	if !ranged {
		to = from
	}
	for _, day := range []string{from, to} {
		if _, err := time.Parse(dateLayout, day); err != nil {
			return DayRange{}, Errorf(Invalid, "%q is not a date", clip(day, 40)).
				WithHint("write 2026-12-25, or a range 2026-12-24..2027-01-02")
		}
	}
	if to < from {
		return DayRange{}, Errorf(Invalid, "the range %s..%s runs backwards", from, to).WithHint("did you mean %s..%s?", to, from)
	}
	return DayRange{From: from, To: to}, nil
}

// String returns the range as it is written.
func (r DayRange) String() string {
	if r.From == r.To {
		return r.From
	}
	return r.From + ".." + r.To
}

// MarshalText writes r as String does.
func (r DayRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what ParseDayRange reads.
func (r *DayRange) UnmarshalText(text []byte) (err error) {
	*r, err = ParseDayRange(string(text))
	return err
}

// Calendar is a named list of days on which schedules that name it do not fire.
// A day is a date in the zone of the schedule.
type Calendar struct {
	Name      string     `json:"name"`
	Days      []DayRange `json:"days"`
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
}

// Validate refuses a name that cannot be typed and a calendar of no days.
func (c Calendar) Validate() error {
	if err := ValidateName("calendar", c.Name); err != nil {
		return err
	}
	if len(c.Days) == 0 {
		return Errorf(Invalid, "a calendar needs days").WithHint("for example molecli calendar add holidays 2026-12-25 2026-12-31..2027-01-01")
	}
	if len(c.Days) > maxDayRanges {
		return Errorf(Invalid, "%d ranges of days are given, the most is %d", len(c.Days), maxDayRanges)
	}
	return nil
}

// Covers reports whether the date of t, in the location of t, is one of c's.
func (c Calendar) Covers(t time.Time) bool {
	day := t.Format(dateLayout)
	for _, r := range c.Days {
		if r.From <= day && day <= r.To {
			return true
		}
	}
	return false
}

// Excluded says which of the calendars has the day of t, a time in the
// schedule's zone; "" when none has.
func Excluded(calendars []Calendar, t time.Time) string {
	for _, c := range calendars {
		if c.Covers(t) {
			return fmt.Sprintf("%s is in calendar %s", t.Format(dateLayout), c.Name)
		}
	}
	return ""
}

// CalendarService keeps the calendars of the organisation. Errors are as in
// [AgentService].
type CalendarService interface {
	// PutCalendar stores a calendar, in place of the one of its name if any.
	PutCalendar(ctx context.Context, in *Calendar) error
	Calendar(ctx context.Context, name string) (Calendar, error)
	Calendars(ctx context.Context) ([]Calendar, error)
	// RemoveCalendar refuses with Conflict while schedules name it.
	RemoveCalendar(ctx context.Context, name string) error
}
