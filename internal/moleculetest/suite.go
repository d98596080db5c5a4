// Package moleculetest holds the suites that every implementation of the
// service interfaces has to pass: the daemon's own services, and the client
// that asks for them over HTTP.
//
// It serves tests only. Start with [Run].
package moleculetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// patience bounds whatever a suite waits for.
const patience = 20 * time.Second

// Services is one implementation of everything, over an empty store. Exec
// agents really start their commands.
type Services struct {
	Agents     molecule.AgentService
	Enrolments molecule.EnrolmentService
	Schedules  molecule.ScheduleService
	Calendars  molecule.CalendarService
	Runs       molecule.RunService
	Events     molecule.EventService
	Incidents  molecule.IncidentService
	Audit      molecule.AuditService
	Tokens     molecule.TokenService
	Liveness   molecule.LivenessService
	Status     molecule.StatusService
	// OpenIncident tells of trouble as a part of the daemon would.
	OpenIncident func(molecule.Incident)
	// Context carries what the implementation needs to know about the caller,
	// who is an administrator of the machine.
	Context context.Context
}

// Run runs every suite; open returns fresh services for each case.
func Run(t *testing.T, open func(testing.TB) Services) {
	t.Helper()
	cases := []struct {
		name string
		run  func(*testing.T, Services)
	}{
		{"agents are created, read, changed and removed", agentLifecycle},
		{"agents that are wrong are refused by code", agentRefusals},
		{"an agent that schedules need is kept", agentInUse},
		{"an agent is put aside and taken up again", pauseAgent},
		{"an agent has a place and a token of its own", agentIdentity},
		{"a ref may be a unique prefix of an id", refs},
		{"lists come in pages", pages},
		{"filters that name nothing are refused", filters},
		{"schedules are created, read, changed and removed", scheduleLifecycle},
		{"schedules that are wrong are refused by code", scheduleRefusals},
		{"schedules are imported as one", imports},
		{"an import again touches only what changed", importsAgain},
		{"an import with a fault imports nothing", importFaults},
		{"a paused schedule has no slots", pauseAndResume},
		{"a triggered schedule runs and is waited for", triggerAndWait},
		{"policies are kept, changed and refused", policies},
		{"calendars are kept while schedules name them", calendars},
		{"a run is canceled, and repeated", cancelAndRetry},
		{"a slot is explained", explain},
		{"runs are summed up", history},
		{"a prompt is run by itself", startRun},
		{"a wait ends with its context", waitEnds},
		{"every change is an event, in order", events},
		{"a watcher sees what was and what comes, once", watch},
		{"an incident is opened once, counted and acknowledged", incidents},
		{"incidents are listed, filtered and found", incidentLists},
		{"each change is in the audit trail, which is sound", auditTrail},
		{"tokens are made, listed and revoked", tokens},
		{"liveness and status answer", alive},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, open(t))
		})
	}
}

// context returns the services' context with the suite's patience.
func (s Services) context(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(s.Context, patience)
	t.Cleanup(cancel)
	return ctx
}

// upper makes the agent most cases need: it answers in capitals.
func upper(t *testing.T, s Services) molecule.Agent {
	t.Helper()
	a := molecule.Agent{Name: "echo", Exec: &molecule.Exec{Command: "tr a-z A-Z"}}
	if err := s.Agents.CreateAgent(s.context(t), &a); err != nil {
		t.Fatalf("create agent: %v", err)
	}
	return a
}

// yearly makes a schedule that does not fire while a test runs.
func yearly(t *testing.T, s Services, name string) molecule.Schedule {
	t.Helper()
	sched := molecule.Schedule{Name: name, Agent: "echo", Cron: "0 0 1 1 *", Prompt: "say hello"}
	if err := s.Schedules.CreateSchedule(s.context(t), &sched); err != nil {
		t.Fatalf("create schedule: %v", err)
	}
	return sched
}

// wantCode fails unless err has the code, and says what it is about.
func wantCode(t *testing.T, err error, code molecule.Code, about string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want code %s", about, code)
		return
	}
	if got := molecule.CodeOf(err); got != code {
		t.Errorf("%s: code %s (%v), want %s", about, got, err, code)
	}
}

// same compares values whose times went over a wire.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(got, want, cmpopts.EquateApproxTime(0), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-got +want):\n%s", what, diff)
	}
}

// must ends the test when a call that has to work did not.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ptr[T any](v T) *T { return &v }

func agentLifecycle(t *testing.T, s Services) {
	ctx := s.context(t)
	a := upper(t, s)
	if a.ID == "" || a.Kind != molecule.AgentExec || a.State != molecule.AgentOnline || a.CreatedAt.IsZero() {
		t.Errorf("created agent lacks what the daemon decides: %+v", a)
	}
	if a.Exec == nil || len(a.Exec.Argv) != 3 || !strings.HasPrefix(a.Exec.Argv[0], "/") {
		t.Errorf("the program was not resolved: %+v", a.Exec)
	}
	read, err := s.Agents.Agent(ctx, "echo")
	must(t, err)
	same(t, "the agent read back", read, a)

	changed, err := s.Agents.UpdateAgent(ctx, "echo", molecule.AgentUpdate{Name: ptr("loud"), MaxConcurrent: ptr(3)})
	must(t, err)
	if changed.ID != a.ID || changed.Name != "loud" || changed.MaxConcurrent != 3 {
		t.Errorf("changed agent is %+v", changed)
	}
	must(t, s.Agents.RemoveAgent(ctx, "loud"))
	_, err = s.Agents.Agent(ctx, "loud")
	wantCode(t, err, molecule.NotFound, "a removed agent")
	upper(t, s) // its name is free again
}

func agentRefusals(t *testing.T, s Services) {
	ctx := s.context(t)
	upper(t, s)
	cases := []struct {
		about string
		agent molecule.Agent
		code  molecule.Code
	}{
		{"a name in use", molecule.Agent{Name: "echo", Exec: &molecule.Exec{Command: "cat"}}, molecule.Conflict},
		{"a name with a space", molecule.Agent{Name: "an agent", Exec: &molecule.Exec{Command: "cat"}}, molecule.Invalid},
		{"no URL", molecule.Agent{Name: "a"}, molecule.Invalid},
		{"an unknown kind", molecule.Agent{Name: "a", Kind: "pigeon"}, molecule.Invalid},
		{"a program that is not there", molecule.Agent{Name: "a", Exec: &molecule.Exec{Command: "no-such-program-here"}}, molecule.Invalid},
		{"a pipe without a shell", molecule.Agent{Name: "a", Exec: &molecule.Exec{Command: "cat | sort"}}, molecule.Invalid},
		{"a metadata address", molecule.Agent{Name: "a", URL: "http://169.254.169.254/"}, molecule.UnsafeURL},
		{"another scheme", molecule.Agent{Name: "a", URL: "ftp://example.com/"}, molecule.UnsafeURL},
		{"no place for a run", molecule.Agent{Name: "a", URL: "https://example.com/", MaxConcurrent: -1}, molecule.Invalid},
	}
	for _, c := range cases {
		wantCode(t, s.Agents.CreateAgent(ctx, &c.agent), c.code, c.about)
	}
	_, err := s.Agents.UpdateAgent(ctx, "nobody", molecule.AgentUpdate{Name: ptr("x")})
	wantCode(t, err, molecule.NotFound, "an update of nobody")
	page, err := s.Agents.Agents(ctx, molecule.AgentFilter{})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("after the refusals there are %d agents (%v), want 1", len(page.Items), err)
	}
}

func agentInUse(t *testing.T, s Services) {
	ctx := s.context(t)
	upper(t, s)
	yearly(t, s, "hello")
	wantCode(t, s.Agents.RemoveAgent(ctx, "echo"), molecule.Conflict, "an agent that a schedule names")
	must(t, s.Schedules.RemoveSchedule(ctx, "hello"))
	if err := s.Agents.RemoveAgent(ctx, "echo"); err != nil {
		t.Errorf("an agent that nothing needs any more: %v", err)
	}
}

func refs(t *testing.T, s Services) {
	ctx := s.context(t)
	a := upper(t, s)
	b := molecule.Agent{Name: "other", Exec: &molecule.Exec{Command: "cat"}}
	must(t, s.Agents.CreateAgent(ctx, &b))
	common := 0
	for a.ID[common] == b.ID[common] {
		common++
	}
	got, err := s.Agents.Agent(ctx, a.ID[:common+1])
	if err != nil || got.ID != a.ID {
		t.Errorf("a unique prefix found %q (%v), want %q", got.ID, err, a.ID)
	}
	if common > 0 {
		_, err = s.Agents.Agent(ctx, a.ID[:common])
		wantCode(t, err, molecule.Invalid, "an ambiguous prefix")
	}
}

func filters(t *testing.T, s Services) {
	ctx := s.context(t)
	upper(t, s)
	yearly(t, s, "hello")
	_, err := s.Agents.Agents(ctx, molecule.AgentFilter{State: "onlin"})
	wantCode(t, err, molecule.Invalid, "agents in a state that is none")
	_, err = s.Agents.Agents(ctx, molecule.AgentFilter{Kind: "pigeon"})
	wantCode(t, err, molecule.Invalid, "agents of a kind that is none")
	_, err = s.Schedules.Schedules(ctx, molecule.ScheduleFilter{State: "asleep"})
	wantCode(t, err, molecule.Invalid, "schedules in a state that is none")
	_, err = s.Runs.Runs(ctx, molecule.RunFilter{Outcome: "okay"})
	wantCode(t, err, molecule.Invalid, "runs of an outcome that is none")
	_, err = s.Schedules.Schedules(ctx, molecule.ScheduleFilter{Agent: "nobody"})
	wantCode(t, err, molecule.NotFound, "schedules of nobody")
	paused, err := s.Schedules.Schedules(ctx, molecule.ScheduleFilter{State: molecule.SchedulePaused})
	if err != nil || len(paused.Items) != 0 {
		t.Errorf("paused schedules are %+v (%v), want none", paused.Items, err)
	}
	mine, err := s.Schedules.Schedules(ctx, molecule.ScheduleFilter{Agent: "echo", State: molecule.ScheduleActive})
	if err != nil || len(mine.Items) != 1 {
		t.Errorf("active schedules of echo are %+v (%v), want one", mine.Items, err)
	}
}

func pages(t *testing.T, s Services) {
	ctx := s.context(t)
	upper(t, s)
	want := []string{"s1", "s2", "s3", "s4", "s5"}
	for _, name := range want {
		yearly(t, s, name)
	}
	var got []string
	f := molecule.ScheduleFilter{Limit: 2}
	for {
		page, err := s.Schedules.Schedules(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, sched := range page.Items {
			got = append(got, sched.Name)
		}
		if page.Next == "" {
			break
		}
		f.Cursor = page.Next
	}
	same(t, "names over all pages", got, want)
}

func scheduleLifecycle(t *testing.T, s Services) {
	ctx := s.context(t)
	a := upper(t, s)
	sched := yearly(t, s, "hello")
	want := molecule.Schedule{
		ID: sched.ID, Name: "hello", AgentID: a.ID, Agent: "echo", Cron: "0 0 1 1 *", TZ: "UTC", Description: sched.Description,
		Prompt: "say hello", State: molecule.ScheduleActive, Timeout: molecule.Duration(molecule.DefaultTimeout),
		NextSlot: sched.NextSlot, DueAt: sched.NextSlot, ActiveSince: sched.CreatedAt, CreatedAt: sched.CreatedAt, UpdatedAt: sched.UpdatedAt,
	}
	same(t, "the schedule created", sched, want)
	if sched.ID == "" || sched.Description == "" || sched.NextSlot.IsZero() {
		t.Errorf("created schedule lacks what the daemon decides: %+v", sched)
	}
	read, err := s.Schedules.Schedule(ctx, "hello")
	must(t, err)
	same(t, "the schedule read back", read, sched)

	want, err = s.Schedules.UpdateSchedule(ctx, "hello", molecule.ScheduleUpdate{Prompt: ptr("say more")})
	must(t, err)
	sched.Prompt, sched.UpdatedAt = "say more", want.UpdatedAt
	same(t, "the schedule with a new prompt", want, sched)
	moved, err := s.Schedules.UpdateSchedule(ctx, "hello", molecule.ScheduleUpdate{Cron: ptr("0 0 2 1 *"), TZ: ptr("Europe/Berlin")})
	must(t, err)
	if moved.NextSlot.Equal(sched.NextSlot) || moved.TZ != "Europe/Berlin" {
		t.Errorf("a new expression left the slot at %v in %s", moved.NextSlot, moved.TZ)
	}
	slots, err := s.Schedules.NextSlots(ctx, "hello", 2)
	must(t, err)
	same(t, "the next slots", slots, []time.Time{moved.NextSlot, moved.NextSlot.AddDate(1, 0, 0)})

	must(t, s.Schedules.RemoveSchedule(ctx, "hello"))
	_, err = s.Schedules.Schedule(ctx, "hello")
	wantCode(t, err, molecule.NotFound, "a removed schedule")
}

func scheduleRefusals(t *testing.T, s Services) {
	ctx := s.context(t)
	upper(t, s)
	yearly(t, s, "taken")
	good := molecule.Schedule{Name: "s", Agent: "echo", Cron: "0 8 * * *", Prompt: "p"}
	cases := []struct {
		about  string
		change func(*molecule.Schedule)
		code   molecule.Code
	}{
		{"a name in use", func(s *molecule.Schedule) { s.Name = "taken" }, molecule.Conflict},
		{"an unknown agent", func(s *molecule.Schedule) { s.Agent = "nobody" }, molecule.NotFound},
		{"a bad expression", func(s *molecule.Schedule) { s.Cron = "0 8 * * FRY" }, molecule.Invalid},
		{"an expression that never fires", func(s *molecule.Schedule) { s.Cron = "0 0 30 2 *" }, molecule.Invalid},
		{"an unknown zone", func(s *molecule.Schedule) { s.TZ = "Europe/Berlinn" }, molecule.Invalid},
		{"a blank prompt", func(s *molecule.Schedule) { s.Prompt = " \n" }, molecule.Invalid},
		{"a prompt that is too large", func(s *molecule.Schedule) { s.Prompt = strings.Repeat("x", molecule.MaxPromptBytes+1) }, molecule.TooLarge},
		{"a timeout of a week", func(s *molecule.Schedule) { s.Timeout = molecule.Duration(7 * 24 * time.Hour) }, molecule.Invalid},
	}
	for _, c := range cases {
		sched := good
		c.change(&sched)
		wantCode(t, s.Schedules.CreateSchedule(ctx, &sched), c.code, c.about)
	}
	_, err := s.Schedules.UpdateSchedule(ctx, "taken", molecule.ScheduleUpdate{Cron: ptr("61 * * * *")})
	wantCode(t, err, molecule.Invalid, "an update to a bad expression")
	wantCode(t, s.Schedules.RemoveSchedule(ctx, "nothing"), molecule.NotFound, "the removal of nothing")
}

func pauseAndResume(t *testing.T, s Services) {
	ctx := s.context(t)
	upper(t, s)
	yearly(t, s, "hello")
	paused, err := s.Schedules.PauseSchedule(ctx, "hello")
	if err != nil || paused.State != molecule.SchedulePaused || !paused.NextSlot.IsZero() {
		t.Errorf("paused schedule is %s with slot %v (%v)", paused.State, paused.NextSlot, err)
	}
	slots, err := s.Schedules.NextSlots(ctx, "hello", 3)
	if err != nil || len(slots) != 0 {
		t.Errorf("a paused schedule has slots %v (%v)", slots, err)
	}
	resumed, err := s.Schedules.ResumeSchedule(ctx, "hello")
	if err != nil || resumed.State != molecule.ScheduleActive || resumed.NextSlot.IsZero() {
		t.Errorf("resumed schedule is %s with slot %v (%v)", resumed.State, resumed.NextSlot, err)
	}
}

func triggerAndWait(t *testing.T, s Services) {
	ctx := s.context(t)
	a := upper(t, s)
	sched := yearly(t, s, "hello")
	claimed, err := s.Schedules.TriggerSchedule(ctx, "hello")
	must(t, err)
	same(t, "the run as claimed", claimed, molecule.Run{
		ID: claimed.ID, ScheduleID: sched.ID, Schedule: "hello", AgentID: a.ID, Agent: "echo", Trigger: molecule.TriggerManual,
		Slot: claimed.Slot, Slots: 1, State: molecule.RunClaimed, MessageID: claimed.MessageID, Timeout: sched.Timeout,
		DueAt: claimed.Slot, ClaimedAt: claimed.ClaimedAt, Prompt: "say hello",
	})
	done, err := s.Runs.WaitRun(ctx, claimed.ID)
	must(t, err)
	if done.Outcome != molecule.OutcomeOK || strings.TrimSpace(done.Reply) != "SAY HELLO" || done.State != molecule.RunFinished {
		t.Errorf("the run ended as %s %q (%s)", done.Outcome, done.Reply, done.Reason)
	}
	full, err := s.Runs.Run(ctx, claimed.ID)
	must(t, err)
	if full.Prompt != "say hello" || len(full.Attempts) != 1 || full.Attempts[0].Outcome != molecule.OutcomeOK {
		t.Errorf("the run in full is %+v", full)
	}
	list, err := s.Runs.Runs(ctx, molecule.RunFilter{Schedule: "hello"})
	must(t, err)
	full.Prompt, full.Attempts = "", nil // left out of lists
	same(t, "the runs of the schedule", list.Items, []molecule.Run{full})
	after, err := s.Schedules.Schedule(ctx, "hello")
	must(t, err)
	same(t, "what the schedule remembers", after.Recent, []molecule.Outcome{molecule.OutcomeOK})
	_, err = s.Schedules.TriggerSchedule(ctx, "nothing")
	wantCode(t, err, molecule.NotFound, "a trigger of nothing")
}

func startRun(t *testing.T, s Services) {
	ctx := s.context(t)
	upper(t, s)
	run, err := s.Runs.StartRun(ctx, molecule.NewRun{Agent: "echo", Prompt: "hi"})
	must(t, err)
	done, err := s.Runs.WaitRun(ctx, run.ID)
	if err != nil || strings.TrimSpace(done.Reply) != "HI" || done.Schedule != "" {
		t.Errorf("the run is %+v (%v)", done, err)
	}
	_, err = s.Runs.StartRun(ctx, molecule.NewRun{Agent: "nobody", Prompt: "hi"})
	wantCode(t, err, molecule.NotFound, "a run of nobody")
	_, err = s.Runs.StartRun(ctx, molecule.NewRun{Agent: "echo"})
	wantCode(t, err, molecule.Invalid, "a run without a prompt")
	_, err = s.Runs.Run(ctx, "ffffffff")
	wantCode(t, err, molecule.NotFound, "an unknown run")
}

func waitEnds(t *testing.T, s Services) {
	ctx := s.context(t)
	a := molecule.Agent{Name: "slow", Exec: &molecule.Exec{Command: "sleep 60"}}
	must(t, s.Agents.CreateAgent(ctx, &a))
	run, err := s.Runs.StartRun(ctx, molecule.NewRun{Agent: "slow", Prompt: "x", Timeout: molecule.Duration(time.Minute)})
	must(t, err)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err = s.Runs.WaitRun(short, run.ID)
	wantCode(t, err, molecule.Timeout, "a wait that is too short")
}

func events(t *testing.T, s Services) {
	ctx := s.context(t)
	upper(t, s)
	yearly(t, s, "hello")
	if _, err := s.Schedules.PauseSchedule(ctx, "hello"); err != nil {
		t.Fatal(err)
	}
	must(t, s.Schedules.RemoveSchedule(ctx, "hello"))
	page, err := s.Events.Events(ctx, molecule.EventFilter{Types: []string{"schedule.", "agent."}})
	must(t, err)
	var got []string
	var last int64
	for _, e := range page.Items {
		if e.ID <= last {
			t.Errorf("event %d comes behind %d", e.ID, last)
		}
		last = e.ID
		got = append(got, e.Type+" "+e.Subject)
	}
	same(t, "events", got, []string{
		"agent.created agent/echo", "schedule.created schedule/hello",
		"schedule.paused schedule/hello", "schedule.removed schedule/hello",
	})
	newest, err := s.Events.LastEventID(ctx)
	if err != nil || newest < last {
		t.Errorf("the newest event is %d (%v), want at least %d", newest, err, last)
	}
}

func watch(t *testing.T, s Services) {
	ctx := s.context(t)
	upper(t, s) // was there before the watcher
	want := []string{"agent.created agent/echo", "schedule.created schedule/a", "schedule.created schedule/b"}
	var got []string
	f := molecule.EventFilter{Types: []string{molecule.EventAgentCreated, molecule.EventScheduleCreated}}
	for e, err := range s.Events.WatchEvents(ctx, f) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Type+" "+e.Subject)
		switch len(got) {
		case 1:
			yearly(t, s, "a")
		case 2:
			yearly(t, s, "b")
		}
		if len(got) == len(want) {
			break
		}
	}
	same(t, "events watched", got, want)
}

func alive(t *testing.T, s Services) {
	ctx := s.context(t)
	l, err := s.Liveness.Liveness(ctx)
	must(t, err)
	for _, name := range []string{"scheduler", "dispatcher", "event-relay", "store-writer", "bookkeeper", "incident-keeper", "trouble-watchdog", "missed-run-watchdog", "retention", "agent-monitor", "agent-prober"} {
		if _, ok := l.Subsystems[name]; !ok {
			t.Errorf("liveness lacks %s: %v", name, l.Subsystems)
		}
	}
	dump, err := s.Liveness.SubsystemDump(ctx, "scheduler")
	if err != nil || !strings.Contains(dump, "scheduler") {
		t.Errorf("the dump of the scheduler is %q (%v)", dump, err)
	}
	_, err = s.Liveness.SubsystemDump(ctx, "nothing")
	wantCode(t, err, molecule.NotFound, "a dump of nothing")
	st, err := s.Status.Status(ctx)
	if err != nil || st.PID == 0 || st.SchemaVersion == 0 || st.Version == "" {
		t.Errorf("status is %+v (%v)", st, err)
	}
}
