package watchdog

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

const (
	briefRest   = 250 * time.Millisecond // between two looks, however much changes
	mostOfAKind = 1000                   // troubles of one kind that are told one by one
)

// TroubleStore is what Troubles needs of the store.
type TroubleStore interface {
	// Troubles returns what waits for a person, at most limit of each kind.
	Troubles(ctx context.Context, limit int) (molecule.Troubles, error)
}

// TroubleOptions are what Troubles needs.
type TroubleOptions struct {
	Store     TroubleStore
	Incidents Reporter
	Changed   <-chan struct{} // something was committed; nil only looks now and then
	Log       *slog.Logger
}

// Troubles watches for schedules and runs that wait for a person; its Run is the
// subsystem trouble-watchdog. It looks at what is and not at what happens, so
// that it can miss nothing, and a restart changes nothing.
type Troubles struct{ TroubleOptions }

// NewTroubles returns a Troubles.
func NewTroubles(o TroubleOptions) *Troubles { return &Troubles{o} }

// Run looks soon after something was committed, and now and then. A look that
// fails leaves no heartbeat and is repeated.
func (t *Troubles) Run(ctx context.Context, beat *supervised.Beat) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.Changed:
		case <-timer.C:
		}
		next := longestSleep
		err := beat.Tick(ctx, func(ctx context.Context) error { return t.look(ctx, molecule.Now()) })
		if err != nil && ctx.Err() == nil {
			t.Log.WarnContext(ctx, "look for troubles", "err", err)
			next = shortRest
		}
		if molecule.Sleep(ctx, briefRest) != nil {
			return nil
		}
		timer.Reset(next)
	}
}

// look reports what waits for a person now.
func (t *Troubles) look(ctx context.Context, now time.Time) error {
	all, err := t.Store.Troubles(ctx, mostOfAKind)
	if err != nil {
		return fmt.Errorf("troubles: %w", err)
	}
	t.Incidents.Report(molecule.IncidentScheduleError, now, told(all.Failed, failed)...)
	t.Incidents.Report(molecule.IncidentScheduleStale, now, told(all.Stale, stale)...)
	t.Incidents.Report(molecule.IncidentRunWaiting, now, waiting(all.Waiting)...)
	return nil
}

func told(troubles []molecule.Trouble, tell func(molecule.Trouble) molecule.Incident) []molecule.Incident {
	incidents := make([]molecule.Incident, len(troubles))
	for i, tr := range troubles {
		incidents[i] = tell(tr)
		incidents[i].Subject = subject(tr)
	}
	return incidents
}

// subject is the schedule of a trouble, or the run that has none.
func subject(tr molecule.Trouble) string {
	if tr.Schedule != "" {
		return "schedule/" + tr.Schedule
	}
	return "run/" + tr.Run
}

// failed is the incident of a schedule in the state error.
func failed(tr molecule.Trouble) molecule.Incident {
	return molecule.Incident{
		Severity: molecule.SeverityCritical, Title: tr.Schedule + " does not fire any more: " + tr.Reason,
		Evidence: molecule.Evidence{Error: tr.Reason, Facts: map[string]string{
			"agent": tr.Agent, "try": "molecli schedule resume " + tr.Schedule + ", once what is wrong is mended",
		}},
	}
}

// stale is the incident of a schedule that gets blank replies.
func stale(tr molecule.Trouble) molecule.Incident {
	return molecule.Incident{
		Severity: molecule.SeverityWarning, Title: fmt.Sprintf("%s has answered nothing for %d runs of %s in a row", tr.Agent, tr.Count, tr.Schedule),
		Count: tr.Count,
		Evidence: molecule.Evidence{Facts: map[string]string{
			"agent": tr.Agent, "blank_replies": strconv.Itoa(tr.Count), "try": "molecli run list --schedule " + tr.Schedule,
		}},
	}
}

// waiting are the incidents of runs whose agents ask for input, one for each
// schedule.
func waiting(runs []molecule.Trouble) []molecule.Incident {
	var incidents []molecule.Incident
	at := make(map[string]int)
	for _, r := range runs {
		of := subject(r)
		i, known := at[of]
		if !known {
			i, at[of] = len(incidents), len(incidents)
			incidents = append(incidents, molecule.Incident{
				Subject: of, Severity: molecule.SeverityCritical, Title: r.Agent + " asks for input: " + r.Reason,
				Evidence: molecule.Evidence{Error: r.Reason, Facts: map[string]string{
					"agent": r.Agent, "try": "molecli run show " + r.Run,
				}},
			})
		}
		in := &incidents[i]
		in.Count++
		in.Evidence.Names = append(in.Evidence.Names, r.Run)
	}
	return incidents
}
