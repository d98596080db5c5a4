package auth

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// store is a Store whose answer a test chooses.
type store struct {
	tokens []molecule.Token
	err    error
}

func (s *store) Tokens(context.Context) ([]molecule.Token, error) { return s.tokens, s.err }

func load(t *testing.T, tokens ...molecule.Token) *Tokens {
	t.Helper()
	ts, err := LoadTokens(t.Context(), &store{tokens: tokens})
	if err != nil {
		t.Fatal(err)
	}
	return ts
}

func TestTokens_checkTakesLiveOnesOnly(t *testing.T) {
	t.Parallel()
	token, shown := mint(t)
	_, unknown := mint(t)
	sameID := func() string { // a well formed token with the id of ours
		_, other := mint(t)
		body := "mol_op_" + token.ID + other[len("mol_op_12345678"):len(other)-9]
		return body + "_" + checksum(body)
	}()
	revoked := token
	revoked.RevokedAt = noon
	eternal := token
	eternal.ExpiresAt = time.Time{}
	for _, tt := range []struct {
		name  string
		kept  molecule.Token
		shown string
		now   time.Time
		want  bool
	}{
		{"live", token, shown, noon, true},
		{"last moment", token, shown, noon.Add(time.Hour - 1), true},
		{"expired", token, shown, noon.Add(time.Hour), false},
		{"without expiry", eternal, shown, noon.AddDate(50, 0, 0), true},
		{"revoked", revoked, shown, noon, false},
		{"unknown id", token, unknown, noon, false},
		{"right id, other secret", token, sameID, noon, false},
		{"right id, other kind", token, "mol_xx" + shown[len("mol_op"):], noon, false},
		{"no token at all", token, "", noon, false},
		{"only the id", token, token.ID, noon, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := load(t, tt.kept).Check(tt.shown, tt.now)
			want := molecule.Token{}
			if tt.want {
				want = tt.kept
			}
			if diff := cmp.Diff(got, want); ok != tt.want || diff != "" {
				t.Errorf("Check = %v, want %v (-got +want)\n%s", ok, tt.want, diff)
			}
		})
	}
}

func TestTokens_zeroValueRefusesAll(t *testing.T) {
	t.Parallel()
	_, shown := mint(t)
	var ts Tokens
	if _, ok := ts.Check(shown, noon); ok {
		t.Error("a registry that knows nobody let somebody in")
	}
	if used := ts.Used(); len(used) != 0 {
		t.Errorf("Used = %v, want none", used)
	}
}

func TestTokens_followTheStore(t *testing.T) {
	t.Parallel()
	first, shown := mint(t)
	second, shownSecond := mint(t)
	s := &store{tokens: []molecule.Token{first}}
	ts, err := LoadTokens(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	know := func(step string, want ...bool) {
		t.Helper()
		_, one := ts.Check(shown, noon)
		_, two := ts.Check(shownSecond, noon)
		if diff := cmp.Diff([]bool{one, two}, want); diff != "" {
			t.Errorf("%s (-got +want)\n%s", step, diff)
		}
	}
	know("loaded", true, false)
	ts.Put(second)
	know("added", true, true)
	first.RevokedAt = noon
	ts.Put(first)
	know("revoked", false, true)
}

func TestLoadTokens_isNoAccessWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	locked := molecule.Errorf(molecule.Unavailable, "the store is busy")
	ts, err := LoadTokens(t.Context(), &store{err: locked})
	if ts != nil || molecule.CodeOf(err) != molecule.Unavailable {
		t.Errorf("LoadTokens = %v, %v, want nothing and Unavailable", ts, err)
	}
}

func TestTokens_scopesBelongToTheRegistry(t *testing.T) {
	t.Parallel()
	token, shown := mint(t)
	ts := &Tokens{}
	ts.Put(token)
	token.Scopes[0] = molecule.ScopeAdmin // the caller's copy
	got, _ := ts.Check(shown, noon)
	got.Scopes[1] = molecule.ScopeAdmin // an answer
	again, _ := ts.Check(shown, noon)
	if diff := cmp.Diff(again.Scopes, molecule.OperateScopes()); diff != "" {
		t.Errorf("scopes changed from outside (-got +want)\n%s", diff)
	}
}

func TestTokens_usedIsToldOnceByTheMinute(t *testing.T) {
	t.Parallel()
	ts := load(t, molecule.Token{ID: "aaaaaaaa"}, molecule.Token{ID: "bbbbbbbb"})
	ts.use("aaaaaaaa", noon.Add(59*time.Second))
	ts.use("aaaaaaaa", noon.Add(61*time.Second))
	ts.use("aaaaaaaa", noon.Add(2*time.Second)) // late
	ts.use("bbbbbbbb", noon.Add(time.Second).In(time.FixedZone("", 7200)))
	ts.use("cccccccc", noon) // nobody knows it
	told(t, "at first", ts, map[string]time.Time{"aaaaaaaa": noon.Add(time.Minute), "bbbbbbbb": noon})
	ts.use("aaaaaaaa", noon.Add(62*time.Second))
	told(t, "in the same minute", ts, map[string]time.Time{})
	ts.use("aaaaaaaa", noon.Add(2*time.Minute))
	told(t, "in the next", ts, map[string]time.Time{"aaaaaaaa": noon.Add(2 * time.Minute)})
}

func TestTokens_anAgentThatAsksAllDayIsNotedOnceAnHour(t *testing.T) {
	t.Parallel()
	ts := load(t, molecule.Token{ID: "aaaaaaaa", AgentID: "a1", LastUsed: noon.Add(-30 * time.Minute)})
	ts.use("aaaaaaaa", noon)
	ts.use("aaaaaaaa", noon.Add(29*time.Minute))
	told(t, "within an hour of what was stored", ts, map[string]time.Time{})
	for s := range 3600 {
		ts.use("aaaaaaaa", noon.Add(30*time.Minute+time.Duration(s)*time.Second))
	}
	told(t, "in the hour behind it", ts, map[string]time.Time{"aaaaaaaa": noon.Add(30 * time.Minute)})
}

func TestTokens_listShowsTheLastUseOfThisProcess(t *testing.T) {
	t.Parallel()
	token, _ := mint(t)
	ts := load(t, token)
	ts.use(token.ID, noon.Add(time.Minute))
	token.RevokedAt = noon.Add(2 * time.Minute)
	ts.Put(token) // as the store has it, which is not told of the use yet
	token.LastUsed = noon.Add(time.Minute)
	if diff := cmp.Diff(ts.all(), []molecule.Token{token}); diff != "" {
		t.Errorf("all (-got +want)\n%s", diff)
	}
}

// told compares what is to be stored of the last uses.
func told(t *testing.T, when string, ts *Tokens, want map[string]time.Time) {
	t.Helper()
	if diff := cmp.Diff(ts.Used(), want); diff != "" {
		t.Errorf("Used %s (-got +want)\n%s", when, diff)
	}
}

func TestTokens_areSafeForManyAtOnce(t *testing.T) {
	t.Parallel()
	token, shown := mint(t)
	ts := load(t, token)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 100 {
				if got, ok := ts.Check(shown, noon); !ok || got.ID != token.ID {
					t.Error("a live token was refused")
				}
				ts.use(token.ID, noon.Add(time.Duration(i)*time.Minute))
				ts.Put(token)
			}
		})
	}
	all.Wait()
	if got := ts.Used()[token.ID]; !got.Equal(noon.Add(7 * time.Minute)) {
		t.Errorf("last used %v, want the latest of all", got)
	}
}
