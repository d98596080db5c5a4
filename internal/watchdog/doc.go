// Package watchdog tells of what should have happened and did not.
//
// It compares what is stored with the time and asks nobody else. It imports
// neither the scheduler nor the dispatcher, so that it works when they are
// stuck, panic, beat without doing anything, or are not there at all. It changes
// nothing: what is wrong now is reported to package incident, which opens and
// closes.
//
// [Slots] finds slots that have no run although their time is over. [Troubles]
// finds schedules and runs that wait for a person.
package watchdog

import (
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Reporter is told all that is wrong of a kind at one time, and closes what is
// not among it. It does not wait.
type Reporter interface {
	Report(kind string, at time.Time, found ...molecule.Incident)
}
