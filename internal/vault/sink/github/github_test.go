package github

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
	"github.com/molecule-ai/molecli/internal/vault/sink"
	"github.com/molecule-ai/molecli/internal/vault/sink/github/githubtest"
	"github.com/molecule-ai/molecli/internal/vault/sink/sinktest"
)

const (
	token    = "ghp_9fKq2LmZ"
	ofRepo   = "/repos/acme/platform/actions/secrets/TOKEN"
	ofOrg    = "/orgs/acme/actions/secrets/TOKEN"
	ofEnv    = "/repos/acme/platform/environments/eu%2Fproduction/secrets/TOKEN"
	selected = "selected"
)

func guard(t testing.TB, origins ...string) *netguard.Guard {
	t.Helper()
	g, err := netguard.New(netguard.Options{AllowSinkHosts: origins})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.CloseIdle)
	return g
}

func open(t testing.TB, s *githubtest.Server, target map[string]string) sink.Sink {
	t.Helper()
	target["url"] = s.URL
	k, err := Open(sink.Spec{Secret: "TOKEN", Net: guard(t, s.URL), SinkSpec: molecule.SinkSpec{Kind: "github", Target: target}})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestGitHub_passesTheSuite(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		path   string
		target func() map[string]string
	}{
		{ofRepo, func() map[string]string { return map[string]string{"repo": "acme/platform"} }},
		{ofEnv, func() map[string]string {
			return map[string]string{"repo": "acme/platform", "environment": "eu/production"}
		}},
		{ofOrg, func() map[string]string { return map[string]string{"org": "acme"} }},
	} {
		t.Run(strings.ReplaceAll(tt.path, "/", " "), func(t *testing.T) {
			t.Parallel()
			sinktest.Run(t, func(t testing.TB) sinktest.Rig {
				s := githubtest.New(t, token)
				return sinktest.Rig{
					Sink:       open(t, s, tt.target()),
					Credential: molecule.NewSecret(token),
					Accepts: func(value molecule.Secret) bool {
						held, ok := s.Value(tt.path)
						return held == value.Reveal() && ok != value.IsZero()
					},
					Tamper:  func(value string) { s.Set(tt.path, value) },
					Cut:     s.Close,
					Masked:  true,
					Holds:   []string{"line\nbreaks\n", "ünï", strings.Repeat("x", maxValue)},
					Rejects: []string{"\xff", "a\x00b", strings.Repeat("x", maxValue+1)},
				}
			})
		})
	}
}

var change = sink.Change{Old: molecule.NewSecret("old-value-1"), New: molecule.NewSecret("new/value+2"), Credential: molecule.NewSecret(token), ID: "7"} // never written

func TestGitHub_valueThatWasSealedForAKeyThatIsNoMoreIsSealedAgain(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusUnprocessableEntity, http.StatusConflict} {
		s := githubtest.New(t, token)
		s.RotateBehindKey(t, status)
		if err := cellOf(t, s).Put(t.Context(), change, sink.State{}); err != nil {
			t.Fatal(err)
		}
		if held, _ := s.Value(ofRepo); held != change.New.Reveal() || s.Puts() != 2 {
			t.Errorf("%d: it holds %q behind %d writes, want the new value behind 2", status, held, s.Puts())
		}
	}
}

// cellOf returns the cell of the repository's secret.
func cellOf(t *testing.T, s *githubtest.Server) cell {
	t.Helper()
	spec := sink.Spec{Secret: "TOKEN", Net: guard(t, s.URL), SinkSpec: molecule.SinkSpec{Kind: "github", Target: map[string]string{"repo": "acme/platform", "url": s.URL}}}
	g, err := newCell(spec)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGitHub_keyThatIsNeverRightIsFetchedOnceMoreOnly(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]sink.Trouble{http.StatusUnprocessableEntity: sink.RejectsValue, http.StatusConflict: sink.Transient} {
		s := githubtest.New(t, token)
		g := cellOf(t, s)
		s.RefuseWrites(status)
		err := g.Put(t.Context(), change, sink.State{})
		if sink.TroubleOf(err) != want || s.Puts() != 2 {
			t.Errorf("%d: got %v behind %d writes, want %s behind 2", status, err, s.Puts(), want)
		}
	}
}

func TestGitHub_publicKeyWithoutAnIDIsNotSealedFor(t *testing.T) {
	t.Parallel()
	s := githubtest.New(t, token)
	s.WithoutKeyID()
	_, err := open(t, s, map[string]string{"repo": "acme/platform"}).Apply(t.Context(), change)
	if sink.TroubleOf(err) != sink.Refused || s.Puts() != 0 {
		t.Errorf("got %v behind %d writes, want a refusal behind none", err, s.Puts())
	}
	bare, err := http.NewRequest(http.MethodPut, s.URL+ofRepo, strings.NewReader(`{"encrypted_value":"AAAA"}`))
	if err != nil {
		t.Fatal(err)
	}
	bare.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(bare)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("without key_id: got %d, want 422", res.StatusCode)
	}
}

func TestGitHub_secretOfAnOrganisationStaysVisibleToWhomItWas(t *testing.T) {
	t.Parallel()
	s := githubtest.New(t, token)
	var ids []int64
	for id := range int64(250) { // three pages
		ids = append(ids, id+1)
	}
	s.Set(ofOrg, change.Old.Reveal())
	s.Select(ofOrg, ids)
	if _, err := open(t, s, map[string]string{"org": "acme"}).Apply(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	visibility, repositories := s.Selected(ofOrg)
	if diff := cmp.Diff(repositories, ids); diff != "" || visibility != selected {
		t.Errorf("visibility %q, (-got +want):\n%s", visibility, diff)
	}
}

func TestGitHub_statusSaysWhatIsWorthAnotherTry(t *testing.T) {
	t.Parallel()
	s := githubtest.New(t, token)
	k := open(t, s, map[string]string{"repo": "acme/platform"})
	reset := time.Now().Add(time.Hour).Unix()
	for _, tt := range []struct {
		name   string
		status int
		header map[string]string
		want   sink.Trouble
		hint   string
	}{
		{"a token that may not", 403, nil, sink.Refused, "may do"},
		{"the hourly limit", 403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": strconv.FormatInt(reset, 10)}, sink.Transient, time.Unix(reset, 0).UTC().Format(time.RFC3339)},
		{"the second limit", 403, map[string]string{"Retry-After": "60"}, sink.Transient, "1m0s"},
		{"the second limit, said otherwise", 429, map[string]string{"Retry-After": "60"}, sink.Transient, "1m0s"},
		{"a repository that was renamed", 301, map[string]string{"Location": "/repositories/1"}, sink.Refused, "where it is now"},
		{"a repository there is not", 404, nil, sink.Refused, "target"},
		{"trouble of their own", 502, nil, sink.Transient, "later"},
	} {
		s.Answer(func(w http.ResponseWriter) {
			for name, value := range tt.header {
				w.Header().Set(name, value)
			}
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, `{"message":"as said"}`)
		})
		_, err := k.Probe(t.Context(), change)
		if got := sink.TroubleOf(err); got != tt.want || !strings.Contains(molecule.HintOf(err), tt.hint) {
			t.Errorf("%s: got %q from %v with the hint %q, want %q and %q", tt.name, got, err, molecule.HintOf(err), tt.want, tt.hint)
		}
	}
}

func TestGitHub_credentialIsNeededAndChecked(t *testing.T) {
	t.Parallel()
	k := open(t, githubtest.New(t, token), map[string]string{"repo": "acme/platform"})
	for _, credential := range []string{"", "another"} {
		c := change
		c.Credential = molecule.NewSecret(credential)
		if _, err := k.Probe(t.Context(), c); molecule.CodeOf(err) != molecule.Unauthenticated {
			t.Errorf("%q: got %v, want unauthenticated", credential, err)
		}
	}
}

func TestGitHub_targetsThatAreNoneAreRefusedBeforeAnybodyIsAsked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		secret string
		target map[string]string
		want   molecule.Code
	}{
		{"TOKEN", map[string]string{"repo": "platform"}, molecule.Invalid},
		{"TOKEN", map[string]string{"repo": "acme/platform/x"}, molecule.Invalid},
		{"TOKEN", map[string]string{"repo": "acme/.."}, molecule.Invalid},
		{"TOKEN", map[string]string{"repo": "../x"}, molecule.Invalid},
		{"TOKEN", map[string]string{"org": "ac/me"}, molecule.Invalid},
		{"TOKEN", map[string]string{"org": "acme", "repo": "acme/platform"}, molecule.Invalid},
		{"TOKEN", map[string]string{"org": "acme", "environment": "production"}, molecule.Invalid},
		{"TOKEN", map[string]string{"repo": "acme/platform", "environment": ".."}, molecule.Invalid},
		{"GITHUB_TOKEN", map[string]string{"repo": "acme/platform"}, molecule.Invalid},
		{"github_x", map[string]string{"repo": "acme/platform"}, molecule.Invalid},
		{"TOKEN", map[string]string{"repo": "acme/platform", "name": "1ST"}, molecule.Invalid},
		{"TOKEN", map[string]string{"repo": "acme/platform", "name": "a-b"}, molecule.Invalid},
		{"TOKEN", map[string]string{"repo": "acme/platform", "url": "http://api.github.com"}, molecule.UnsafeURL},
		{"TOKEN", map[string]string{"repo": "acme/platform", "url": "https://git.example.com/api/v3"}, molecule.UnsafeURL},
		{"TOKEN", map[string]string{"repo": "acme/platform"}, ""},
	} {
		_, err := Open(sink.Spec{Secret: tt.secret, Net: guard(t), SinkSpec: molecule.SinkSpec{Kind: "github", Target: tt.target}})
		if got := molecule.CodeOf(err); got != tt.want {
			t.Errorf("%s in %v: got %v, want %q", tt.secret, tt.target, err, tt.want)
		}
	}
}
