package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

var noon = time.Date(2026, 4, 14, 12, 0, 0, 0, time.UTC)

// fireOnce claims one run for each due slot and moves a minute on.
func fireOnce(d molecule.Due) (molecule.Claim, error) {
	return molecule.Claim{
		Runs: []molecule.Run{{
			Trigger: molecule.TriggerCron, Slot: d.Schedule.NextSlot, State: molecule.RunClaimed,
			MessageID: "m", Timeout: d.Schedule.Timeout,
		}},
		NextSlot: d.Schedule.NextSlot.Add(time.Minute), State: molecule.ScheduleActive,
	}, nil
}

// discard are options for a store whose log nobody reads.
func discard() sqlite.Options { return sqlite.Options{Log: slog.New(slog.DiscardHandler)} }

func wantCode(t *testing.T, err error, code molecule.Code) {
	t.Helper()
	if err == nil || molecule.CodeOf(err) != code {
		t.Errorf("error is %v (code %s), want code %s", err, molecule.CodeOf(err), code)
	}
}

// raw opens the file of a store beside it, as no part of the program would.
func raw(t testing.TB, dir string) *sql.DB {
	t.Helper()
	return rawFile(t, filepath.Join(dir, "moleculed.db"))
}

// rawFile is raw for a file with any name.
func rawFile(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=ignore_check_constraints(1)&_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestCreateAgent_readsBackWhole(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	want := sqlitetest.Agent(t, db, "echo")
	got, err := db.Agent(t.Context(), "echo")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	if got.CreatedAt.IsZero() || got.ID == "" {
		t.Errorf("id or time is missing: %+v", got)
	}
}

func TestAgent_findsByNameAndPrefix(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	for _, a := range []molecule.Agent{
		{ID: "0199aaaa-0000-7000-8000-000000000001", Name: "one"},
		{ID: "0199aaaa-0000-7000-8000-000000000002", Name: "two"},
		{ID: "0199bbbb-0000-7000-8000-000000000003", Name: "0199bbb"},
	} {
		a.Kind, a.State, a.MaxConcurrent = molecule.AgentPush, molecule.AgentPending, 1
		if err := db.CreateAgent(t.Context(), &a); err != nil {
			t.Fatal(err)
		}
	}
	cases := []struct {
		ref, want string
		code      molecule.Code
	}{
		{ref: "one", want: "one"},
		{ref: "0199aaaa-0000-7000-8000-000000000002", want: "two"},
		{ref: "0199AAAA-0000-7000-8000-000000000002", want: "two"},
		{ref: "0199b", want: "0199bbb"},
		{ref: "0199bbb", want: "0199bbb"}, // a name before a prefix
		{ref: "0199a", code: molecule.Invalid},
		{ref: "0199c", code: molecule.NotFound},
		{ref: "%", code: molecule.NotFound},
		{ref: "", code: molecule.NotFound},
	}
	for _, c := range cases {
		got, err := db.Agent(t.Context(), c.ref)
		if c.code != "" {
			wantCode(t, err, c.code)
			continue
		}
		if err != nil || got.Name != c.want {
			t.Errorf("Agent(%q) = %q, %v; want %q", c.ref, got.Name, err, c.want)
		}
	}
}

func TestRemoveAgent_freesTheNameAndKeepsTheHistory(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	sqlitetest.Agent(t, db, "echo")
	sqlitetest.Schedule(t, db, "echo", "hello", noon)
	wantCode(t, db.RemoveAgent(t.Context(), "echo"), molecule.Conflict)
	if _, err := db.ClaimDue(t.Context(), noon, noon, 10, fireOnce); err != nil {
		t.Fatal(err)
	}
	if err := db.RemoveSchedule(t.Context(), "hello", nil); err != nil {
		t.Fatal(err)
	}
	if err := db.RemoveAgent(t.Context(), "echo"); err != nil {
		t.Fatal(err)
	}
	sqlitetest.Agent(t, db, "echo")
	page, err := db.Runs(t.Context(), molecule.RunFilter{})
	if err != nil || len(page.Items) != 1 || page.Items[0].Agent != "echo" || page.Items[0].Schedule != "hello" {
		t.Errorf("history is %+v, %v", page.Items, err)
	}
}

func TestClaimDue_movesTheSlotOnAndKeepsThePrompt(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	sqlitetest.Agent(t, db, "echo")
	sqlitetest.Schedule(t, db, "echo", "due", noon)
	sqlitetest.Schedule(t, db, "echo", "later", noon.Add(time.Hour))
	runs, err := db.ClaimDue(t.Context(), noon.Add(time.Second), noon.Add(time.Second), 10, fireOnce)
	if err != nil || len(runs) != 1 {
		t.Fatalf("claimed %d runs, %v; want 1", len(runs), err)
	}
	if r := runs[0]; r.Schedule != "due" || r.Prompt != "say due" || !r.Slot.Equal(noon) || r.State != molecule.RunClaimed {
		t.Errorf("claimed %+v", r)
	}
	next, err := db.NextDue(t.Context())
	if err != nil || !next.Equal(noon.Add(time.Minute)) {
		t.Errorf("next due is %v, %v; want a minute later", next, err)
	}
	// The schedule's prompt changes; the run keeps what it was claimed with.
	_, err = db.UpdateSchedule(t.Context(), "due", molecule.EventScheduleUpdated, func(s *molecule.Schedule) error {
		s.Prompt = "say something else"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	open, err := db.OpenRuns(t.Context(), 10)
	if err != nil || len(open) != 1 || open[0].Prompt != "say due" {
		t.Errorf("open runs are %+v, %v", open, err)
	}
}

func TestClaimDue_givesASlotOneRowOnly(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	sqlitetest.Agent(t, db, "echo")
	sqlitetest.Schedule(t, db, "echo", "hello", noon)
	for i, want := range []int{1, 0, 0} {
		runs, err := db.ClaimDue(t.Context(), noon, noon, 10, fireOnce)
		if err != nil || len(runs) != want {
			t.Errorf("claim %d gave %d runs, %v; want %d", i, len(runs), err, want)
		}
		setBack(t, db, "hello", noon)
	}
}

// setBack makes a schedule due at a slot that may have its row already.
func setBack(t testing.TB, db *sqlite.DB, name string, slot time.Time) {
	t.Helper()
	_, err := db.UpdateSchedule(t.Context(), name, molecule.EventScheduleUpdated, func(s *molecule.Schedule) error {
		s.NextSlot, s.DueAt = slot, slot
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestClaimDue_putsOneBadRowAsideAndGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	sqlitetest.Agent(t, db, "echo")
	for _, name := range []string{"garbled", "good", "panics", "refused", "empty"} {
		sqlitetest.Schedule(t, db, "echo", name, noon)
	}
	for name, slot := range map[string]any{"garbled": "tomorrow-ish", "empty": ""} {
		if _, err := raw(t, dir).Exec(`UPDATE schedules SET next_slot_at = ? WHERE name = ?`, slot, name); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := db.ClaimDue(t.Context(), noon, noon, 10, func(d molecule.Due) (molecule.Claim, error) {
		switch d.Schedule.Name {
		case "panics":
			panic("a bad row")
		case "refused":
			return molecule.Claim{}, errors.New("the expression does not parse")
		}
		return fireOnce(d)
	})
	if err != nil || len(runs) != 1 || runs[0].Schedule != "good" {
		t.Fatalf("claimed %+v, %v; want the good one", runs, err)
	}
	for name, reason := range map[string]string{
		"garbled": "tomorrow-ish", "panics": "a bad row", "refused": "does not parse", "empty": "is not an instant",
	} {
		s, err := db.Schedule(t.Context(), name)
		if err != nil || s.State != molecule.ScheduleError || !strings.Contains(s.Reason, reason) {
			t.Errorf("%s is %s because %q, %v", name, s.State, s.Reason, err)
		}
	}
	page, err := db.Events(t.Context(), molecule.EventFilter{Types: []string{molecule.EventScheduleError}})
	if err != nil || len(page.Items) != 4 {
		t.Errorf("%d schedules told of their error, %v; want 4", len(page.Items), err)
	}
}

func TestFinishRun_settlesEverythingOnce(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	a := sqlitetest.Agent(t, db, "echo")
	sqlitetest.Schedule(t, db, "echo", "hello", noon)
	runs, err := db.ClaimDue(t.Context(), noon, noon, 10, fireOnce)
	if err != nil {
		t.Fatal(err)
	}
	id := runs[0].ID
	if err := db.StartRun(t.Context(), molecule.Run{ID: id}, noon, noon.Add(time.Minute), 1); err != nil {
		t.Fatal(err)
	}
	if err := db.SetRunHandle(t.Context(), id, "exec:1:2"); err != nil {
		t.Fatal(err)
	}
	tokens := int64(7)
	got, err := db.FinishRun(t.Context(), molecule.Finish{
		RunID: id, Outcome: molecule.OutcomeFailed, Reason: "exit status 3", Reply: "sorry",
		Usage: &molecule.Usage{InputTokens: &tokens}, EndedAt: noon.Add(2 * time.Second),
	})
	if err != nil {
		t.Fatal(err)
	}
	full, err := db.Run(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full, got, cmpopts.IgnoreFields(molecule.Run{}, "Prompt", "Attempts")); diff != "" {
		t.Errorf("what was returned is not what is stored (-stored +returned):\n%s", diff)
	}
	want := []molecule.Attempt{{Number: 1, StartedAt: noon, EndedAt: noon.Add(2 * time.Second), Outcome: molecule.OutcomeFailed, Reason: "exit status 3"}}
	if diff := cmp.Diff(full.Attempts, want); diff != "" {
		t.Errorf("attempts (-got +want):\n%s", diff)
	}
	s, err := db.Schedule(t.Context(), "hello")
	if err != nil || s.FailureStreak != 1 || s.LastOutcome != molecule.OutcomeFailed || len(s.Recent) != 1 {
		t.Errorf("schedule is %+v, %v", s, err)
	}
	agent, err := db.Agent(t.Context(), a.ID)
	if err != nil || agent.LastOutcome != molecule.OutcomeFailed || agent.LastRunAt.IsZero() {
		t.Errorf("agent is %+v, %v", agent, err)
	}
	_, err = db.FinishRun(t.Context(), molecule.Finish{RunID: id, Outcome: molecule.OutcomeOK, EndedAt: noon})
	wantCode(t, err, molecule.Conflict)
	wantCode(t, db.StartRun(t.Context(), molecule.Run{ID: id}, noon, noon, 2), molecule.Conflict)
	wantCode(t, db.SetRunHandle(t.Context(), id, "x"), molecule.Conflict)
	wantCode(t, db.SetRunWaiting(t.Context(), id, molecule.RunWaiting, "x", time.Time{}), molecule.Conflict)
}

func TestFinishRun_tellsWhenAnAgentHangsAndAnswers(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	a := molecule.Agent{Name: "far", Kind: molecule.AgentPush, State: molecule.AgentPending, URL: "https://example.com", MaxConcurrent: 1}
	if err := db.CreateAgent(t.Context(), &a); err != nil {
		t.Fatal(err)
	}
	for _, o := range []molecule.Outcome{"ok", "unreachable", "hung", "unreachable", "ok"} {
		r := molecule.Run{AgentID: a.ID, Trigger: molecule.TriggerManual, Slot: noon, State: molecule.RunClaimed, Prompt: "p"}
		if err := db.CreateRun(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
		if _, err := db.FinishRun(t.Context(), molecule.Finish{RunID: r.ID, Outcome: o, EndedAt: noon}); err != nil {
			t.Fatal(err)
		}
	}
	page, err := db.Events(t.Context(), molecule.EventFilter{Subject: "agent/far"})
	var got []string
	for _, e := range page.Items {
		got = append(got, e.Type)
	}
	want := []string{"agent.created", "agent.online", "agent.suspect", "agent.online"}
	if diff := cmp.Diff(got, want); err != nil || diff != "" {
		t.Errorf("events (-got +want), %v:\n%s", err, diff)
	}
}

func TestRuns_comeNewestFirstInPages(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	a := sqlitetest.Agent(t, db, "echo")
	var want []string
	for range 5 {
		r := molecule.Run{AgentID: a.ID, Trigger: molecule.TriggerManual, Slot: noon, State: molecule.RunClaimed, Prompt: "p"}
		if err := db.CreateRun(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
		want = append([]string{r.ID}, want...)
	}
	var got []string
	f := molecule.RunFilter{Agent: "echo", Open: true, Limit: 2}
	for {
		page, err := db.Runs(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Items {
			got = append(got, r.ID)
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			break
		}
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	_, err := db.Runs(t.Context(), molecule.RunFilter{Cursor: "!"})
	wantCode(t, err, molecule.Invalid)
}

func TestUpdate_commitsTogetherAndFailsAlone(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	sqlitetest.Agent(t, db, "taken")
	var callers sync.WaitGroup
	errs := make([]error, 60)
	for i := range errs {
		callers.Go(func() {
			a := molecule.Agent{Name: "agent-" + string(rune('A'+i%20)) + string(rune('a'+i/20)), Kind: molecule.AgentPush, State: molecule.AgentPending, MaxConcurrent: 1}
			switch i % 3 {
			case 1:
				a.Name = "taken"
			case 2:
				_, errs[i] = db.UpdateAgent(context.WithoutCancel(t.Context()), "taken", func(*molecule.Agent) error { panic("in a change") })
				return
			}
			errs[i] = db.CreateAgent(context.WithoutCancel(t.Context()), &a)
		})
	}
	callers.Wait()
	for i, err := range errs {
		switch i % 3 {
		case 0:
			if err != nil {
				t.Errorf("a good change failed beside bad ones: %v", err)
			}
		case 1:
			wantCode(t, err, molecule.Conflict)
		case 2:
			if err == nil || !strings.Contains(err.Error(), "in a change") {
				t.Errorf("a panic became %v", err)
			}
		}
	}
	page, err := db.Agents(t.Context(), molecule.AgentFilter{Limit: 100})
	if err != nil || len(page.Items) != 21 {
		t.Errorf("%d agents, %v; want 21", len(page.Items), err)
	}
}

func TestUpdate_saysThatNobodyWrites(t *testing.T) {
	t.Parallel()
	db, err := sqlite.Open(t.Context(), t.TempDir(), discard())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := molecule.Agent{Name: "a", Kind: molecule.AgentPush, State: molecule.AgentPending, MaxConcurrent: 1}
	wantCode(t, db.CreateAgent(ctx, &a), molecule.Unavailable)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, db.CreateAgent(t.Context(), &a), molecule.Unavailable)
}

func TestRunWriter_healsWhenALockIsHeld(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	tx, err := raw(t, dir).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer := make(chan error, 1)
	var caller sync.WaitGroup
	caller.Go(func() {
		a := molecule.Agent{Name: "a", Kind: molecule.AgentPush, State: molecule.AgentPending, MaxConcurrent: 1}
		answer <- db.CreateAgent(context.WithoutCancel(t.Context()), &a)
	})
	wantCode(t, <-answer, molecule.Unavailable) // after busy_timeout
	caller.Wait()
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	sqlitetest.Agent(t, db, "b")
}

func TestOpen_refusesADirectoryInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sqlitetest.OpenDir(t, dir)
	_, err := sqlite.Open(t.Context(), dir, discard())
	wantCode(t, err, molecule.Conflict)
	if err == nil || !strings.Contains(err.Error(), "pid ") {
		t.Errorf("error does not name the pid: %v", err)
	}
}

func TestOpen_refusesANewerSchemaAndLeavesItAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := sqlite.Open(t.Context(), dir, discard())
	if err != nil {
		t.Fatal(err)
	}
	version := db.SchemaVersion()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := raw(t, dir).Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (?, 1)`, version+7); err != nil {
		t.Fatal(err)
	}
	_, err = sqlite.Open(t.Context(), dir, discard())
	wantCode(t, err, molecule.Conflict)
}

func TestOpen_judgesTheDirectory(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	wide, file, link := filepath.Join(base, "wide"), filepath.Join(base, "file"), filepath.Join(base, "link")
	if err := errors.Join(os.Mkdir(wide, 0o755), os.Chmod(wide, 0o755), os.WriteFile(file, nil, 0o600), os.Symlink(wide, link)); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, link, filepath.Join(file, "below")} {
		_, err := sqlite.Open(t.Context(), dir, discard())
		wantCode(t, err, molecule.Forbidden)
	}
	sqlitetest.OpenDir(t, wide)
	info, err := os.Stat(wide)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode is %v, %v; want 0700", info.Mode(), err)
	}
	file = filepath.Join(wide, "moleculed.db")
	if info, err = os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the file is %v, %v; want 0600", info.Mode(), err)
	}
}

func TestOpen_keepsWhatWasCommittedWithoutClose(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	want := sqlitetest.Agent(t, db, "echo")
	copied := t.TempDir() // what a crash would leave: the files as they are
	for _, name := range []string{"moleculed.db", "moleculed.db-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := sqlitetest.OpenDir(t, copied).Agent(t.Context(), "echo")
	if err != nil || got.ID != want.ID {
		t.Errorf("after a crash the agent is %+v, %v", got, err)
	}
}

func TestEvents_areFilteredAndPaged(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	for _, name := range []string{"a", "b", "c"} {
		sqlitetest.Agent(t, db, name)
	}
	sqlitetest.Schedule(t, db, "a", "hello", noon)
	select {
	case <-db.Committed():
	default:
		t.Error("no signal after commits with events")
	}
	cases := []struct {
		name string
		f    molecule.EventFilter
		want []int64
		more bool
	}{
		{name: "all", want: []int64{1, 2, 3, 4}},
		{name: "behind one", f: molecule.EventFilter{After: 2}, want: []int64{3, 4}},
		{name: "of a type", f: molecule.EventFilter{Types: []string{"schedule."}}, want: []int64{4}},
		{name: "of a subject", f: molecule.EventFilter{Subject: "agent/b"}, want: []int64{2}},
		{name: "a page", f: molecule.EventFilter{Limit: 2}, want: []int64{1, 2}, more: true},
	}
	for _, c := range cases {
		page, err := db.Events(t.Context(), c.f)
		var got []int64
		for _, e := range page.Items {
			got = append(got, e.ID)
		}
		if diff := cmp.Diff(got, c.want); err != nil || diff != "" || (page.Next != "") != c.more {
			t.Errorf("%s: next %q, %v (-got +want):\n%s", c.name, page.Next, err, diff)
		}
	}
	if last, err := db.LastEventID(t.Context()); err != nil || last != 4 {
		t.Errorf("last event is %d, %v; want 4", last, err)
	}
}

func TestEvents_sayThatWhatIsAskedForWasPruned(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := sqlitetest.OpenDir(t, dir)
	for i := range 6 {
		sqlitetest.Agent(t, db, fmt.Sprintf("a%d", i))
	}
	if _, err := raw(t, dir).Exec(`DELETE FROM events WHERE id <= 3`); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[int64][]int64{0: {4, 5, 6}, 3: {4, 5, 6}, 5: {6}, 6: nil, 9: nil} {
		page, err := db.Events(t.Context(), molecule.EventFilter{After: after})
		var got []int64
		for _, e := range page.Items {
			got = append(got, e.ID)
		}
		if diff := cmp.Diff(got, want); err != nil || diff != "" {
			t.Errorf("behind %d, %v (-got +want):\n%s", after, err, diff)
		}
	}
	for _, f := range []molecule.EventFilter{{After: 1}, {After: 2}, {After: 2, Types: []string{"run."}}} {
		_, err := db.Events(t.Context(), f)
		wantCode(t, err, molecule.Gone)
		if want := fmt.Sprintf("the events from %d to 3 are no longer kept", f.After+1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("behind %d it says %v, want %q", f.After, err, want)
		}
	}
}

func TestTokensAndSubsystemEvents_readBack(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	want := molecule.Token{
		ID: "abcd1234", Name: "admin", Kind: "op", Scopes: []molecule.Scope{molecule.ScopeAdmin},
		CreatedAt: noon, CreatedBy: "daemon", ExpiresAt: noon.Add(time.Hour), Digest: [32]byte{1, 2, 3},
	}
	if err := db.CreateToken(t.Context(), &want); err != nil {
		t.Fatal(err)
	}
	if err := db.TouchTokens(t.Context(), map[string]time.Time{want.ID: noon}); err != nil {
		t.Fatal(err)
	}
	want.LastUsed = noon
	tokens, err := db.Tokens(t.Context())
	if diff := cmp.Diff(tokens, []molecule.Token{want}); err != nil || diff != "" {
		t.Errorf("tokens (-got +want), %v:\n%s", err, diff)
	}
	events := []molecule.SubsystemEvent{{At: noon, Subsystem: "scheduler", From: "healthy", To: "stuck", Error: "e", BlockedIn: "f", Stack: "s"}}
	if err := db.AppendSubsystemEvents(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	got, err := db.SubsystemEvents(t.Context(), "scheduler", 10)
	if diff := cmp.Diff(got, events); err != nil || diff != "" {
		t.Errorf("subsystem events (-got +want), %v:\n%s", err, diff)
	}
}

func TestCounts_tellsHowManyDoHow(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	sqlitetest.Agent(t, db, "echo")
	sqlitetest.Schedule(t, db, "echo", "late", noon.Add(-time.Minute))
	sqlitetest.Schedule(t, db, "echo", "fine", noon.Add(time.Minute))
	sqlitetest.Schedule(t, db, "echo", "paused", noon)
	_, err := db.UpdateSchedule(t.Context(), "paused", molecule.EventSchedulePaused, func(s *molecule.Schedule) error {
		s.State, s.NextSlot = molecule.SchedulePaused, time.Time{}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sqlitetest.Schedule(t, db, "echo", "late-and-failing", noon.Add(-time.Minute))
	_, err = db.UpdateSchedule(t.Context(), "late-and-failing", molecule.EventScheduleUpdated, func(s *molecule.Schedule) error {
		s.FailureStreak = 1
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	agents, schedules, err := db.Counts(t.Context(), noon)
	want := molecule.ScheduleCounts{OnTime: 1, Late: 2, Failing: 1, Paused: 1}
	if err != nil || agents != (molecule.AgentCounts{Online: 1}) || schedules != want {
		t.Errorf("counts are %+v and %+v, %v", agents, schedules, err)
	}
}

func TestStore_worksInVirtualTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		db, err := sqlite.Open(t.Context(), dir, discard())
		if err != nil {
			t.Fatal(err)
		}
		stop := sqlitetest.Write(db)
		sqlitetest.Agent(t, db, "echo")
		time.Sleep(24 * time.Hour)
		a, err := db.UpdateAgent(t.Context(), "echo", func(*molecule.Agent) error { return nil })
		if err != nil || a.UpdatedAt.Sub(a.CreatedAt) != 24*time.Hour {
			t.Errorf("the day was %v long, %v", a.UpdatedAt.Sub(a.CreatedAt), err)
		}
		stop()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}
