package sqlite

import (
	"log/slog"
	"strings"
	"testing"
)

// TestPlans_readNoWholeTable holds each text that runs for every slot, run or
// request to an index that stays small: history and other people's schedules
// must not make it slower.
func TestPlans_readNoWholeTable(t *testing.T) {
	t.Parallel()
	db, err := Open(t.Context(), t.TempDir(), Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, c := range []struct {
		name, text string
		args       []any
		want       []string
		may        string // what is forbidden to others
	}{
		{name: "due", text: sqlDue, args: []any{"", "", 1}, want: []string{"schedules_due (due_at<?)", "runs_open_schedule (schedule_id=?)"}},
		{name: "astray", text: sqlAstray, args: []any{"", 1}, want: []string{"schedules_due (due_at>?)", "schedules_due (due_at=?)"}},
		{name: "next due", text: sqlNextDue, want: []string{"SEARCH schedules USING INDEX schedules_due\nSCALAR"}},
		{name: "late slots", text: sqlLate, args: []any{"", 1}, want: []string{"schedules_due (due_at<?)"}},
		{name: "slots nowhere in time", text: sqlLost, args: []any{1}, want: []string{"schedules_due (due_at>?)", "schedules_due (due_at=?)"}},
		{name: "how many are late", text: sqlCountLate, args: []any{""}, want: []string{"schedules_due (due_at<?)", "schedules_due (due_at>?)"}},
		{name: "an agent", text: `SELECT ` + agentColumns + ` FROM agents a WHERE a.id = ?`, args: []any{""}, want: []string{"runs_open_agent", "schedules_agent"}},
		{name: "recipients", text: sqlRecipients, args: []any{"[]"}, want: []string{"a USING INDEX sqlite_autoindex_agents_1 (id=?)"}},
		{name: "what covers a slot", text: sqlRunCovering, args: []any{"", ""}, want: []string{"runs_slot (schedule_id=? AND slot<?)"}},
		{name: "the run before a run", text: sqlRunBefore, args: []any{"", "", ""}, want: []string{"runs_schedule (schedule_id=? AND id<?)"}},
		{name: "what was missed", text: sqlMissed, args: []any{""}, want: []string{"runs_slot (schedule_id=? AND slot>?)"}},
		{name: "spent by a schedule", text: sqlSpent + ` AND schedule_id = ?4`, args: []any{"", "", "[]", ""}, want: []string{"runs_schedule (schedule_id=? AND id>?)"}},
		{name: "spent by an agent", text: sqlSpent + ` AND agent_id = ?4`, args: []any{"", "", "[]", ""}, want: []string{"runs_agent (agent_id=? AND id>?)"}},
		{name: "spent by all", text: sqlSpent, args: []any{"", "", "[]"}, want: []string{"sqlite_autoindex_runs_1 (id>?)"}},
		{name: "schedules with too many runs", text: sqlOverfull, args: []any{"", 1, 1}, want: []string{"runs_schedule (schedule_id>?)", "runs_schedule (schedule_id=?)"}},
		{name: "what may go", text: sqlPrunable(), args: []any{"", "", "", "", "", 1}, want: []string{"runs_schedule (schedule_id=? AND id>? AND id<?)", "runs_retry_of (retry_of=?)"}},
		{name: "the nth run", text: sqlNthRun, args: []any{1}, want: []string{"COVERING INDEX sqlite_autoindex_runs_1"}, may: "SCAN r"},
		{name: "the nth run of no schedule", text: sqlNthLooseRun, args: []any{1}, want: []string{"runs_schedule (schedule_id=?)"}},
		{name: "old rollups", text: sqlOldRollups, args: []any{"", "", 1}, want: []string{"rollups_start (span=? AND start<?)"}},
		{name: "old incidents", text: sqlOldIncidents, args: []any{"", 1}, want: []string{"incidents_closed (closed_at<?)"}},
		{name: "agents without history", text: sqlBareAgents, args: []any{"", 1}, want: []string{"agents_removed (removed_at<?)", "runs_agent (agent_id=?)", "schedules_agent (agent_id=?)"}},
		{name: "schedules without history", text: sqlBareSchedules, args: []any{"", 1}, want: []string{"schedules_removed (removed_at<?)", "runs_schedule (schedule_id=?)"}},
		{name: "a history", text: sqlHistory(sqlStartOfHour), args: []any{"", "", "hour", "", "~", 1}, want: []string{"runs_schedule (schedule_id=? AND id>?)", "rollups USING PRIMARY KEY (schedule_id=? AND span=? AND start>? AND start<?)"}, may: "TEMP B-TREE"},
		{name: "schedules in error", text: sqlFailedSchedules, args: []any{1}, want: []string{"s USING INDEX schedules_state (state=?)"}},
		{name: "stale schedules", text: sqlStaleSchedules, args: []any{1, 3}, want: []string{"s USING INDEX schedules_blank (empty_streak>?)"}},
		{name: "waiting runs", text: sqlWaitingRuns, args: []any{1}, want: []string{"SEARCH r USING INDEX runs_waiting (id>?)"}},
		{name: "a place in the inbox", text: sqlPosition, args: []any{"", ""}, want: []string{"sqlite_autoindex_activities_1 (id=?)"}},
		{name: "what nobody has yet", text: sqlUnseen, args: []any{"", 0, "", 1, 1}, want: []string{"activities_open (agent_id=? AND seq>?)"}},
		{name: "what is newer", text: sqlNewer, args: []any{"", 0, "", 1, 1}, want: []string{"activities_agent (agent_id=? AND seq>?)"}},
		{name: "what was read", text: sqlUnread, args: []any{"", "", 0}, want: []string{"activities_unread (agent_id=? AND lease=? AND rowid<?)"}},
		{name: "what became of a row", text: sqlFate, args: []any{""}, want: []string{"sqlite_autoindex_activities_1 (id=?)", "activities_repeats (repeats=?)"}},
		{name: "slots that move on", text: sqlMoveOn.texts[0], args: full(sqlMoveOn), want: []string{"schedules USING INDEX sqlite_autoindex_schedules_1 (id=?)"}},
		{name: "which runs are there", text: sqlWhichRuns, args: []any{"[]"}, want: []string{"runs USING COVERING INDEX sqlite_autoindex_runs_1 (id=?)"}},
		{name: "starts", text: sqlStartRuns.texts[0], args: full(sqlStartRuns), want: []string{"runs USING INDEX sqlite_autoindex_runs_1 (id=?)"}},
		{name: "ends", text: sqlEndRuns.texts[0], args: full(sqlEndRuns), want: []string{"runs USING INDEX sqlite_autoindex_runs_1 (id=?)"}},
		{name: "agents that ran", text: sqlAgentsRan.texts[0], args: full(sqlAgentsRan), want: []string{"agents USING COVERING INDEX sqlite_autoindex_agents_1 (id=?)"}},
		{name: "schedules whose run ended", text: sqlSettleSchedules.texts[0], args: full(sqlSettleSchedules), want: []string{"schedules USING COVERING INDEX sqlite_autoindex_schedules_1 (id=?)"}},
		{name: "facts of schedules", text: sqlScheduleFacts, args: []any{"[]"}, want: []string{"schedules USING INDEX sqlite_autoindex_schedules_1 (id=?)"}},
		{name: "facts of agents", text: sqlAgentFacts, args: []any{"[]"}, want: []string{"agents USING INDEX sqlite_autoindex_agents_1 (id=?)"}},
		{name: "a run", text: sqlRunByID, args: []any{""}, want: []string{"r USING INDEX sqlite_autoindex_runs_1 (id=?)"}},
	} {
		rows, err := db.writer.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+c.text, c.args...)
		steps, err := all(rows, err, func(r rowScanner, s *string) error {
			var id, parent, unused int
			return r.Scan(&id, &parent, &unused, s)
		})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		plan := strings.Join(steps, "\n")
		for _, w := range c.want {
			if !strings.Contains(plan, w) {
				t.Errorf("%s: the plan does not use %s:\n%s", c.name, w, plan)
			}
		}
		for _, bad := range []string{"TEMP B-TREE", "SCAN s", "SCAN r", "SCAN a"} {
			if bad != c.may && strings.Contains(plan, bad) {
				t.Errorf("%s: the plan has %s:\n%s", c.name, bad, plan)
			}
		}
	}
}

// full returns arguments for as many rows as one statement takes.
func full(m many) []any { return make([]any, chunks[0]*m.columns) }
