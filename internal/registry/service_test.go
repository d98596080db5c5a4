package registry_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/molecule-ai/molecli/internal/auth"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
	"github.com/molecule-ai/molecli/internal/registry"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// resolve finds programs whose name does not begin with "no-".
func resolve(e *molecule.Exec) error {
	name, args, _ := strings.Cut(e.Command, " ")
	if strings.HasPrefix(name, "no-") {
		return molecule.Errorf(molecule.Invalid, "%s is no program", name)
	}
	e.Argv = []string{"/bin/" + name}
	if args != "" {
		e.Argv = append(e.Argv, args)
	}
	return nil
}

// tokens are real ones, and made by the real mint.
type tokens struct{ *auth.Tokens }

func newTokens() tokens { return tokens{new(auth.Tokens)} }

// Mint makes a token.
func (tokens) Mint(kind, name string, scopes []molecule.Scope, now, expires time.Time) (molecule.Token, molecule.Secret, error) {
	return auth.Mint(kind, name, scopes, now, expires)
}

// service is a registry over a real store and the real rules for addresses.
func service(t *testing.T) (*registry.Service, *sqlite.DB) {
	t.Helper()
	guard, err := netguard.New(netguard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	db := sqlitetest.Open(t)
	return over(db, guard), db
}

// over is a registry over a store, whose agents nobody watches.
func over(store registry.Store, guard *netguard.Guard) *registry.Service {
	return registry.New(registry.Options{
		Store: store, Addresses: guard, Tokens: newTokens(), Resolve: resolve, Monitor: registry.NewMonitor(registry.MonitorOptions{}),
	})
}

// Who asks.
func admin(t *testing.T) context.Context {
	return molecule.WithPrincipal(t.Context(), molecule.Principal{Name: "uid:0", Scopes: []molecule.Scope{molecule.ScopeAdmin}, Local: true})
}

func remote(t *testing.T) context.Context {
	return molecule.WithPrincipal(t.Context(), molecule.Principal{Name: "token:ab12cd34", Scopes: []molecule.Scope{molecule.ScopeAdmin}})
}

func operator(t *testing.T) context.Context {
	return molecule.WithPrincipal(t.Context(), molecule.Principal{Name: "uid:1000", Scopes: molecule.OperateScopes(), Local: true})
}

// decided are the fields of a new agent that the store alone decides.
func decided() cmp.Option {
	return cmpopts.IgnoreFields(molecule.Agent{}, "ID", "CreatedAt", "UpdatedAt", "Tier", "Token")
}

func create(t *testing.T, s *registry.Service, ctx context.Context, a molecule.Agent) molecule.Agent {
	t.Helper()
	if err := s.CreateAgent(ctx, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func push(name, url string) molecule.Agent { return molecule.Agent{Name: name, URL: url} }

func command(name, line string) molecule.Agent {
	return molecule.Agent{Name: name, Exec: &molecule.Exec{Command: line}}
}

func TestCreateAgent_fillsInWhatFollows(t *testing.T) {
	t.Parallel()
	const far = "https://agent.example.com/a2a"
	cases := []struct {
		name string
		ctx  func(*testing.T) context.Context
		in   molecule.Agent
		want molecule.Agent
	}{
		{
			"an administrator's URL", admin, push("a", "http://127.0.0.1:8080"),
			molecule.Agent{Name: "a", Kind: "push", State: "pending", URL: "http://127.0.0.1:8080", URLOwner: "operator", MaxConcurrent: 1},
		},
		{
			"a remote URL", remote, push("a", far),
			molecule.Agent{Name: "a", Kind: "push", State: "pending", URL: far, URLOwner: "agent", MaxConcurrent: 1},
		},
		{
			"a URL of a local user who is no administrator", operator, push("a", far),
			molecule.Agent{Name: "a", Kind: "push", State: "pending", URL: far, URLOwner: "agent", MaxConcurrent: 1},
		},
		{
			"one that asks for its work", operator, molecule.Agent{Name: "a", Kind: "poll", Role: "scribe", Runtime: "cli"},
			molecule.Agent{Name: "a", Kind: "poll", State: "pending", URLOwner: "agent", MaxConcurrent: 1, Role: "scribe", Runtime: "cli"},
		},
		{
			"a command", admin, command("a", "cat -"),
			molecule.Agent{
				Name: "a", Kind: "exec", State: "online", MaxConcurrent: 1,
				Exec: &molecule.Exec{Command: "cat -", Argv: []string{"/bin/cat", "-"}},
			},
		},
		{
			"what only the daemon may say is not taken over", remote,
			molecule.Agent{
				ID: "chosen", Name: "a", Kind: "push", URL: far, URLOwner: "operator", State: "online", MaxConcurrent: 3,
				SilentStreak: 7, ActiveRuns: 7, LastOutcome: "ok", LastRunAt: time.Unix(1, 0),
			},
			molecule.Agent{Name: "a", Kind: "push", State: "pending", URL: far, URLOwner: "agent", MaxConcurrent: 3},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, _ := service(t)
			got := create(t, s, c.ctx(t), c.in)
			if diff := cmp.Diff(got, c.want, decided()); diff != "" {
				t.Errorf("answered (-got +want):\n%s", diff)
			}
			if !molecule.IsID(got.ID) || got.CreatedAt.IsZero() {
				t.Errorf("the agent has id %q and was created %v", got.ID, got.CreatedAt)
			}
			stored, err := s.Agent(c.ctx(t), "a")
			if err != nil {
				t.Fatal(err)
			}
			if kept := got.Kind != molecule.AgentExec; kept == got.Token.IsZero() {
				t.Errorf("a %s agent: told a token is %v", got.Kind, kept)
			}
			got.Token = molecule.Shown{} // is told once
			if diff := cmp.Diff(stored, got); diff != "" {
				t.Errorf("stored (-got +want):\n%s", diff)
			}
		})
	}
}

func TestCreateAgent_refuses(t *testing.T) {
	t.Parallel()
	const far = "https://agent.example.com/a2a"
	both := push("a", far)
	both.Exec = &molecule.Exec{Command: "cat"}
	both.Kind = molecule.AgentPush
	crowded := push("a", far)
	crowded.MaxConcurrent = 1001
	negative := push("a", far)
	negative.MaxConcurrent = -1
	pigeon := push("a", far)
	pigeon.Kind = "pigeon"
	cases := []struct {
		name string
		ctx  func(*testing.T) context.Context
		in   molecule.Agent
		want molecule.Code
	}{
		{"no name", admin, push("", far), molecule.Invalid},
		{"a name to be quoted", admin, push("a b", far), molecule.Invalid},
		{"a name like an id", admin, push("0198c0de-0000-7000-8000-000000000001", far), molecule.Invalid},
		{"neither URL nor command", admin, push("a", ""), molecule.Invalid},
		{"URL and command", admin, both, molecule.Invalid},
		{"a kind nobody knows", admin, pigeon, molecule.Invalid},
		{"too many places", admin, crowded, molecule.Invalid},
		{"fewer places than none", admin, negative, molecule.Invalid},
		{"a blank command", admin, command("a", ""), molecule.Invalid},
		{"a program that is not there", admin, command("a", "no-such"), molecule.Invalid},
		{"a command from afar", remote, command("a", "cat"), molecule.Forbidden},
		{"a command of a user who is no administrator", operator, command("a", "cat"), molecule.Forbidden},
		{"a command of nobody", (*testing.T).Context, command("a", "cat"), molecule.Forbidden},
		{"loopback from afar", remote, push("a", "http://127.0.0.1:8080"), molecule.UnsafeURL},
		{"loopback of a user who is no administrator", operator, push("a", "http://localhost:8080"), molecule.UnsafeURL},
		{"loopback of nobody", (*testing.T).Context, push("a", "http://[::1]:8080"), molecule.UnsafeURL},
		{"a neighbour on the link from afar", remote, push("a", "http://[fe80::1]:8080/"), molecule.UnsafeURL},
		{"credentials of the platform", admin, push("a", "http://169.254.169.254/latest"), molecule.UnsafeURL},
		{"another scheme", admin, push("a", "file:///etc/passwd"), molecule.UnsafeURL},
		{"a name and a password", admin, push("a", "https://me:secret@agent.example.com/"), molecule.UnsafeURL},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, db := service(t)
			err := s.CreateAgent(c.ctx(t), &c.in)
			if got := molecule.CodeOf(err); err == nil || got != c.want {
				t.Errorf("%s: %v, want %s", got, err, c.want)
			}
			page, err := db.Agents(t.Context(), molecule.AgentFilter{})
			if err != nil || len(page.Items) != 0 {
				t.Errorf("%d agents are stored (%v)", len(page.Items), err)
			}
		})
	}
}

func TestCreateAgent_refusesANameInUse(t *testing.T) {
	t.Parallel()
	s, _ := service(t)
	create(t, s, admin(t), command("a", "cat"))
	again := push("a", "https://agent.example.com/")
	if err := s.CreateAgent(remote(t), &again); molecule.CodeOf(err) != molecule.Conflict || molecule.HintOf(err) == "" {
		t.Errorf("the second of a name: %v", err)
	}
	if again.ID != "" {
		t.Errorf("the agent that was not created has the id %s", again.ID)
	}
	if err := s.RemoveAgent(admin(t), "a"); err != nil {
		t.Fatal(err)
	}
	create(t, s, remote(t), again) // free again
}

func TestForbidden_saysToWhomAndWhatToDo(t *testing.T) {
	t.Parallel()
	s, _ := service(t)
	cases := []struct {
		name string
		ctx  func(*testing.T) context.Context
		want string
	}{
		{"a token", remote, "you are token:ab12cd34"},
		{"nobody", (*testing.T).Context, "you are nobody"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := command("a", "cat")
			err := s.CreateAgent(c.ctx(t), &a)
			if err == nil || !strings.HasSuffix(err.Error(), c.want) || molecule.HintOf(err) == "" {
				t.Errorf("%v (hint %q), want it to end in %q", err, molecule.HintOf(err), c.want)
			}
		})
	}
}

func TestAgents_findsByNameByPrefixAndByPage(t *testing.T) {
	t.Parallel()
	s, _ := service(t)
	ctx := admin(t)
	cat := create(t, s, ctx, command("cat", "cat"))
	create(t, s, ctx, push("far", "https://agent.example.com/"))
	create(t, s, ctx, push("near", "http://127.0.0.1:9"))
	for _, ref := range []string{"cat", cat.ID} {
		got, err := s.Agent(ctx, ref)
		if err != nil || got.Name != "cat" {
			t.Errorf("%s is %q (%v)", ref, got.Name, err)
		}
	}
	if _, err := s.Agent(ctx, "dog"); molecule.CodeOf(err) != molecule.NotFound {
		t.Errorf("an agent that is not there: %v", err)
	}
	first, err := s.Agents(ctx, molecule.AgentFilter{Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Agents(ctx, molecule.AgentFilter{Limit: 2, Cursor: first.Next})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, a := range append(first.Items, second.Items...) {
		names = append(names, a.Name)
	}
	if diff := cmp.Diff(names, []string{"cat", "far", "near"}); diff != "" || second.Next != "" {
		t.Errorf("pages (-got +want), then %q:\n%s", second.Next, diff)
	}
}

func TestUpdateAgent(t *testing.T) {
	t.Parallel()
	const far, near = "https://agent.example.com/", "http://127.0.0.1:8080"
	pick := func(s string) *string { return &s }
	places := func(n int) *int { return &n }
	cases := []struct {
		name   string
		by     func(*testing.T) context.Context // who created it
		before molecule.Agent
		ctx    func(*testing.T) context.Context
		up     molecule.AgentUpdate
		code   molecule.Code
		want   molecule.Agent // when there is no code
	}{
		{
			"a name", remote, push("a", far), remote, molecule.AgentUpdate{Name: pick("b")}, "",
			molecule.Agent{Name: "b", Kind: "push", State: "pending", URL: far, URLOwner: "agent", MaxConcurrent: 1},
		},
		{
			"nothing", remote, push("a", far), remote, molecule.AgentUpdate{}, "",
			molecule.Agent{Name: "a", Kind: "push", State: "pending", URL: far, URLOwner: "agent", MaxConcurrent: 1},
		},
		{
			"an administrator takes the URL over", remote, push("a", far), admin, molecule.AgentUpdate{URL: pick(near)}, "",
			molecule.Agent{Name: "a", Kind: "push", State: "pending", URL: near, URLOwner: "operator", MaxConcurrent: 1},
		},
		{
			"a command", admin, command("a", "cat"), admin, molecule.AgentUpdate{Exec: &molecule.Exec{Command: "tac -"}, MaxConcurrent: places(4)}, "",
			molecule.Agent{
				Name: "a", Kind: "exec", State: "online", MaxConcurrent: 4,
				Exec: &molecule.Exec{Command: "tac -", Argv: []string{"/bin/tac", "-"}},
			},
		},
		{"a name that is none", remote, push("a", far), remote, molecule.AgentUpdate{Name: pick("a b")}, molecule.Invalid, molecule.Agent{}},
		{"a name in use", remote, push("a", far), remote, molecule.AgentUpdate{Name: pick("taken")}, molecule.Conflict, molecule.Agent{}},
		{"no places", remote, push("a", far), remote, molecule.AgentUpdate{MaxConcurrent: places(0)}, molecule.Invalid, molecule.Agent{}},
		{"loopback from afar", remote, push("a", far), remote, molecule.AgentUpdate{URL: pick(near)}, molecule.UnsafeURL, molecule.Agent{}},
		{"a URL to nowhere", remote, push("a", far), remote, molecule.AgentUpdate{URL: pick("")}, molecule.Invalid, molecule.Agent{}},
		{"an administrator's agent from afar", admin, push("a", near), remote, molecule.AgentUpdate{Name: pick("b")}, molecule.Forbidden, molecule.Agent{}},
		{"an administrator's URL from afar", admin, push("a", near), remote, molecule.AgentUpdate{URL: pick(far)}, molecule.Forbidden, molecule.Agent{}},
		{"a command from afar", admin, command("a", "cat"), remote, molecule.AgentUpdate{Exec: &molecule.Exec{Command: "tac"}}, molecule.Forbidden, molecule.Agent{}},
		{"places of a command from afar", admin, command("a", "cat"), operator, molecule.AgentUpdate{MaxConcurrent: places(9)}, molecule.Forbidden, molecule.Agent{}},
		{"a program that is not there", admin, command("a", "cat"), admin, molecule.AgentUpdate{Exec: &molecule.Exec{Command: "no-such"}}, molecule.Invalid, molecule.Agent{}},
		{"a URL for a command", admin, command("a", "cat"), admin, molecule.AgentUpdate{URL: pick(far)}, molecule.Invalid, molecule.Agent{}},
		{"a command for a URL", admin, push("a", far), admin, molecule.AgentUpdate{Exec: &molecule.Exec{Command: "cat"}}, molecule.Invalid, molecule.Agent{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, _ := service(t)
			create(t, s, admin(t), command("taken", "cat"))
			before := create(t, s, c.by(t), c.before)
			got, err := s.UpdateAgent(c.ctx(t), "a", c.up)
			want := c.want
			if c.code != "" {
				if molecule.CodeOf(err) != c.code {
					t.Errorf("%v, want %s", err, c.code)
				}
				want = before // unchanged
			} else if err != nil {
				t.Fatal(err)
			}
			stored, err := s.Agent(admin(t), before.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(stored, want, decided()); diff != "" {
				t.Errorf("stored (-got +want):\n%s", diff)
			}
			if diff := cmp.Diff(got, stored, cmpopts.IgnoreFields(molecule.Agent{}, "ID")); c.code == "" && diff != "" {
				t.Errorf("answered (-got +want):\n%s", diff)
			}
		})
	}
}

func TestUpdateAgent_knowsNothingOfANewAddress(t *testing.T) {
	t.Parallel()
	s, db := service(t)
	create(t, s, admin(t), push("a", "https://agent.example.com/"))
	if _, err := db.UpdateAgent(t.Context(), "a", func(a *molecule.Agent) error {
		a.State, a.SilentStreak = molecule.AgentOffline, 5
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	moved := "https://agent.example.com/elsewhere"
	got, err := s.UpdateAgent(admin(t), "a", molecule.AgentUpdate{URL: &moved})
	if err != nil || got.State != molecule.AgentPending || got.SilentStreak != 0 {
		t.Errorf("the agent is %s after %d silent asks (%v)", got.State, got.SilentStreak, err)
	}
}

// meanwhile is a store in which somebody else is quicker once.
type meanwhile struct {
	*sqlite.DB
	do func()
}

func (m *meanwhile) UpdateAgent(
	ctx context.Context, ref string, change func(*molecule.Agent) error,
) (molecule.Agent, error) {
	if do := m.do; do != nil {
		m.do = nil
		do()
	}
	return m.DB.UpdateAgent(ctx, ref, change)
}

func TestUpdateAgent_whileSomebodyElseDoes(t *testing.T) {
	t.Parallel()
	const far, near = "https://agent.example.com/", "http://127.0.0.1:8080"
	moved, three := far+"moved", 3
	cases := []struct {
		name  string
		other func(ctx context.Context, s *registry.Service) error // an administrator
		code  molecule.Code
		want  molecule.Agent
	}{
		{
			"another field is kept",
			func(ctx context.Context, s *registry.Service) error {
				_, err := s.UpdateAgent(ctx, "a", molecule.AgentUpdate{MaxConcurrent: &three})
				return err
			},
			"", molecule.Agent{Name: "a", Kind: "push", State: "pending", URL: moved, URLOwner: "agent", MaxConcurrent: 3},
		},
		{
			"a URL that an administrator took over is theirs",
			func(ctx context.Context, s *registry.Service) error {
				url := near
				_, err := s.UpdateAgent(ctx, "a", molecule.AgentUpdate{URL: &url})
				return err
			},
			molecule.Forbidden, molecule.Agent{Name: "a", Kind: "push", State: "pending", URL: near, URLOwner: "operator", MaxConcurrent: 1},
		},
		{
			"an agent that is gone",
			func(ctx context.Context, s *registry.Service) error { return s.RemoveAgent(ctx, "a") },
			molecule.NotFound, molecule.Agent{},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			quiet, db := service(t)
			guard, err := netguard.New(netguard.Options{})
			if err != nil {
				t.Fatal(err)
			}
			create(t, quiet, remote(t), push("a", far))
			raced := over(&meanwhile{DB: db, do: func() {
				if err := c.other(admin(t), quiet); err != nil {
					t.Errorf("the other: %v", err)
				}
			}}, guard)
			_, err = raced.UpdateAgent(remote(t), "a", molecule.AgentUpdate{URL: &moved})
			if molecule.CodeOf(err) != c.code {
				t.Errorf("%v, want %q", err, c.code)
			}
			got, err := quiet.Agent(admin(t), "a")
			if c.code != molecule.NotFound && err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, c.want, decided()); diff != "" {
				t.Errorf("stored (-got +want):\n%s", diff)
			}
		})
	}
}

func TestRemoveAgent(t *testing.T) {
	t.Parallel()
	const far, near = "https://agent.example.com/", "http://127.0.0.1:8080"
	cases := []struct {
		name  string
		by    func(*testing.T) context.Context
		agent molecule.Agent
		ctx   func(*testing.T) context.Context
		ref   string
		want  molecule.Code
	}{
		{"its own", remote, push("a", far), remote, "a", ""},
		{"by an administrator", remote, push("a", far), admin, "a", ""},
		{"a command by an administrator", admin, command("a", "cat"), admin, "a", ""},
		{"a command from afar", admin, command("a", "cat"), remote, "a", molecule.Forbidden},
		{"an administrator's URL from afar", admin, push("a", near), remote, "a", molecule.Forbidden},
		{"one that is not there", admin, push("a", near), admin, "b", molecule.NotFound},
		{"one that a schedule names", admin, push("busy", near), admin, "busy", molecule.Conflict},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, db := service(t)
			a := create(t, s, c.by(t), c.agent)
			if a.Name == "busy" {
				sqlitetest.Schedule(t, db, "busy", "nightly", time.Now().Add(time.Hour))
			}
			err := s.RemoveAgent(c.ctx(t), c.ref)
			if molecule.CodeOf(err) != c.want {
				t.Errorf("%v, want %q", err, c.want)
			}
			_, err = s.Agent(admin(t), a.ID)
			if gone := molecule.CodeOf(err) == molecule.NotFound; gone != (c.want == "") {
				t.Errorf("gone is %t (%v)", gone, err)
			}
		})
	}
}

func TestService_handsOnWhatTheStoreSays(t *testing.T) {
	t.Parallel()
	s, _ := service(t)
	over, cancel := context.WithCancelCause(admin(t))
	cancel(errors.New("who asked is gone"))
	a := command("a", "cat")
	if err := s.CreateAgent(over, &a); !errors.Is(err, context.Canceled) {
		t.Errorf("create: %v", err)
	}
	name := "b"
	if _, err := s.UpdateAgent(over, "a", molecule.AgentUpdate{Name: &name}); err == nil {
		t.Error("an update of an agent that is not there went well")
	}
	if err := s.RemoveAgent(over, "a"); err == nil {
		t.Error("the removal of an agent that is not there went well")
	}
}
