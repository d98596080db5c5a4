package sqlite

import (
	"context"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	// sqlFacts is what a period counts of the finished runs that follow in a
	// WHERE. What is damaged is counted as far as it can be read.
	sqlFacts = `
		SELECT schedule_id, outcome, slots, COALESCE(strftime('%Y-%m-%dT%H:%M', slot), strftime('%Y-%m-%dT%H:%M', ended_at), '1970-01-01T00:00') AS slot,
			MAX(0, CAST(ROUND((unixepoch(ended_at, 'subsec') - unixepoch(started_at, 'subsec')) * 1000) AS INTEGER)) AS took,
			CASE WHEN trigger IN ('cron', 'catch_up') THEN
				MAX(0, CAST(ROUND((unixepoch(started_at, 'subsec') - unixepoch(due_at, 'subsec')) * 1000) AS INTEGER)) END AS lag
		FROM runs`
	// sqlSums are the columns of a rollup, from rows of sqlFacts.
	sqlSums = `
		COUNT(*) AS runs, SUM(slots) AS slots, COUNT(took) AS took_runs, COALESCE(SUM(took), 0) AS took_ms, COALESCE(MAX(took), 0) AS took_max_ms,
		COUNT(lag) AS lag_runs, COALESCE(SUM(lag), 0) AS lag_ms, COALESCE(MAX(lag), 0) AS lag_max_ms`
	sqlStartOfHour = `substr(slot, 1, 13) || ':00:00.000Z'`
	sqlStartOfDay  = `substr(slot, 1, 10) || 'T00:00:00.000Z'`

	sqlRollUp = `
		INSERT INTO rollups (schedule_id, span, start, outcome, runs, slots, took_runs, took_ms, took_max_ms, lag_runs, lag_ms, lag_max_ms)
		SELECT schedule_id, span, CASE span WHEN 'hour' THEN ` + sqlStartOfHour + ` ELSE ` + sqlStartOfDay + ` END, outcome, ` + sqlSums + `
		FROM (` + sqlFacts + ` WHERE id IN (SELECT value FROM json_each(?)) AND schedule_id IS NOT NULL),
			(SELECT 'hour' AS span UNION ALL SELECT 'day')
		GROUP BY 1, 2, 3, 4
		ON CONFLICT (schedule_id, span, start, outcome) DO UPDATE SET
			runs = runs + excluded.runs, slots = slots + excluded.slots,
			took_runs = took_runs + excluded.took_runs, took_ms = took_ms + excluded.took_ms,
			took_max_ms = MAX(took_max_ms, excluded.took_max_ms),
			lag_runs = lag_runs + excluded.lag_runs, lag_ms = lag_ms + excluded.lag_ms,
			lag_max_ms = MAX(lag_max_ms, excluded.lag_max_ms)`
)

// sqlHistory adds up what was pruned and what is kept, in one statement and so
// in one state of the store: a run that is pruned meanwhile is in one of them.
func sqlHistory(start string) string {
	return `
		SELECT start, SUM(runs), SUM(slots), SUM(took_runs), SUM(took_ms), MAX(took_max_ms), SUM(lag_runs), SUM(lag_ms), MAX(lag_max_ms),
			json_group_object(outcome, runs)
		FROM (
			SELECT start, outcome, SUM(runs) AS runs, SUM(slots) AS slots, SUM(took_runs) AS took_runs, SUM(took_ms) AS took_ms,
				MAX(took_max_ms) AS took_max_ms, SUM(lag_runs) AS lag_runs, SUM(lag_ms) AS lag_ms, MAX(lag_max_ms) AS lag_max_ms
			FROM (
				SELECT ` + start + ` AS start, outcome, ` + sqlSums + `
				FROM (` + sqlFacts + ` WHERE schedule_id = ?1 AND id >= ?2 AND state = 'finished')
				GROUP BY 1, 2
				UNION ALL
				SELECT start, outcome, runs, slots, took_runs, took_ms, took_max_ms, lag_runs, lag_ms, lag_max_ms
				FROM rollups WHERE schedule_id = ?1 AND span = ?3 AND start >= ?4)
			WHERE start >= ?4 AND start < ?5
			GROUP BY 1, 2)
		GROUP BY 1 ORDER BY 1 DESC LIMIT ?6`
}

// claimedAhead is more than how long before its slot a run can be made.
const claimedAhead = time.Minute

// ScheduleHistory sums up the finished runs of the schedule with an id by hours
// or days, the newest first.
func (db *DB) ScheduleHistory(ctx context.Context, id string, f molecule.HistoryFilter) (molecule.Page[molecule.Period], error) {
	var none molecule.Page[molecule.Period]
	before, err := keyOf(f.Cursor)
	if err != nil {
		return none, err
	}
	if before == "" {
		before = "~" // behind every instant
	}
	span, start := molecule.SpanDay, sqlStartOfDay
	if f.By == molecule.SpanHour {
		span, start = molecule.SpanHour, sqlStartOfHour
	}
	since, from := "", ""
	if !f.Since.IsZero() {
		begin := span.Start(f.Since)
		since, from = begin.Format(layout), molecule.OldestID(begin.Add(-claimedAhead))
	}
	limit := molecule.ClampLimit(f.Limit)
	rows, err := db.query(ctx, sqlHistory(start), id, from, string(span), since, before, limit+1)
	found, err := all(rows, err, scanPeriod)
	if err != nil {
		return none, err
	}
	return page(found, limit, func(p molecule.Period) string { return p.Start.Format(layout) }), nil
}

func scanPeriod(r rowScanner, p *molecule.Period) error {
	return r.Scan(instant{&p.Start}, &p.Runs, &p.Slots, &p.Took.Runs, &p.Took.SumMillis, &p.Took.MaxMillis,
		&p.Lag.Runs, &p.Lag.SumMillis, &p.Lag.MaxMillis, object[map[molecule.Outcome]int]{&p.Outcomes})
}
