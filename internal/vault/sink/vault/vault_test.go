package vault

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
	"github.com/molecule-ai/molecli/internal/vault/sink"
	"github.com/molecule-ai/molecli/internal/vault/sink/sinktest"
	"github.com/molecule-ai/molecli/internal/vault/sink/vault/vaulttest"
)

const (
	token = "hvs.9fKq2LmZ"
	path  = "apps/web"
)

func guard(t testing.TB) *netguard.Guard {
	t.Helper()
	g, err := netguard.New(netguard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.CloseIdle)
	return g
}

// open opens the sink of a server, with more keys of the target.
func open(t testing.TB, s *vaulttest.Server, more ...string) sink.Sink {
	t.Helper()
	target := map[string]string{"url": s.URL, "mount": "kv", "path": path}
	for i := 0; i < len(more); i += 2 {
		target[more[i]] = more[i+1]
	}
	k, err := Open(sink.Spec{Secret: "TOKEN", Net: guard(t), SinkSpec: molecule.SinkSpec{Kind: "vault", Target: target}})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestVault_passesTheSuite(t *testing.T) {
	t.Parallel()
	for name, neighbour := range map[string]bool{"alone": false, "beside another key": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sinktest.Run(t, func(t testing.TB) sinktest.Rig {
				s := vaulttest.New(t, token, "team-a")
				if neighbour {
					s.Set(path, "OTHER", json.Number("12345678901234567890"))
				}
				return sinktest.Rig{
					Sink:       open(t, s, "namespace", "team-a"),
					Credential: molecule.NewSecret(token),
					Accepts: func(value molecule.Secret) bool {
						if other, ok := s.Value(path, 0, "OTHER"); neighbour && (!ok || other != json.Number("12345678901234567890")) {
							t.Errorf("the key beside ours is %v now", other)
						}
						held, ok := s.Value(path, 0, "TOKEN")
						return value.IsZero() && !ok || ok && held == value.Reveal()
					},
					Tamper:  func(value string) { s.Set(path, "TOKEN", value) },
					Cut:     s.Seal,
					Holds:   []string{"line\nbreaks\n", "ünï <&> \x00", strings.Repeat("x", 1<<20)},
					Rejects: []string{"\xff"},
				}
			})
		})
	}
}

var change = sink.Change{Old: molecule.NewSecret("old-value-1"), New: molecule.NewSecret("new/value+2"), Credential: molecule.NewSecret(token), ID: "7"} // never written

// interrupt changes something behind the back of the next write.
func interrupt(s *vaulttest.Server, change func()) {
	var done atomic.Bool
	s.Before(func(r *http.Request) {
		if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/kv/data/") && done.CompareAndSwap(false, true) {
			change()
		}
	})
}

func TestVault_writeThatSomebodyWasFasterThan(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, key string
		want      sink.Trouble
	}{
		{"another key is kept", "OTHER", ""},
		{"our key is drift", "TOKEN", sink.Drifted},
	} {
		s := vaulttest.New(t, token, "")
		s.Set(path, "TOKEN", change.Old.Reveal())
		interrupt(s, func() { s.Set(path, tt.key, "theirs") })
		_, err := open(t, s).Apply(t.Context(), change)
		if got := sink.TroubleOf(err); got != tt.want {
			t.Errorf("%s: got %q from %v, want %q", tt.name, got, err, tt.want)
		}
		if theirs, _ := s.Value(path, 0, tt.key); theirs != "theirs" {
			t.Errorf("%s: what they wrote is %v now", tt.name, theirs)
		}
	}
}

func TestVault_revokingDestroysTheVersionsThatHoldTheOldValueAlone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, beside, warning string
		kept                  bool
	}{
		{"alone", "", "", false},
		{"beside another key", "OTHER", "beside keys that are not ours", true},
	} {
		s := vaulttest.New(t, token, "")
		if tt.beside != "" {
			s.Set(path, tt.beside, "theirs")
		}
		k := open(t, s)
		first := sink.Change{New: change.Old, Credential: change.Credential}
		for _, c := range []sink.Change{first, change} {
			if _, err := k.Apply(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		before := s.Versions(path) - 1
		state, err := k.Revoke(t.Context(), change)
		if err != nil || state.Holds != sink.HoldsNew || !strings.Contains(state.Warning, tt.warning) {
			t.Errorf("%s: got %+v, %v, want a warning of %q", tt.name, state, err, tt.warning)
		}
		if _, kept := s.Value(path, before, "TOKEN"); kept != tt.kept {
			t.Errorf("%s: the version before keeps its value: %v, want %v", tt.name, kept, tt.kept)
		}
	}
}

func TestVault_tokenThatMayOnlyWriteRevokesWithAWarningAndStillUndoes(t *testing.T) {
	t.Parallel()
	s := vaulttest.New(t, "root", "")
	s.Allow(token, map[string][]string{"kv/data/": {"create", "read", "update"}, "sys/": {"update"}})
	k := open(t, s)
	first := sink.Change{New: change.Old, Credential: change.Credential}
	if _, err := k.Apply(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if state, err := k.Undo(t.Context(), first); err != nil || state.Holds != sink.HoldsNothing {
		t.Fatalf("undo: got %+v, %v", state, err)
	}
	for _, c := range []sink.Change{first, change} {
		if _, err := k.Apply(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if state, err := k.Revoke(t.Context(), change); err != nil || !strings.Contains(state.Warning, "by hand") {
		t.Errorf("revoke: got %+v, %v, want a warning", state, err)
	}
}

func TestVault_probeTellsWhatIsWrongBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		target  []string
		arrange func(*vaulttest.Server)
		token   string
		want    molecule.Code
	}{
		{"sealed", nil, (*vaulttest.Server).Seal, token, molecule.Unavailable},
		{"no token", nil, nil, "", molecule.Unauthenticated},
		{"a dead token", nil, nil, "hvs.dead", molecule.Unauthenticated},
		{"a token that may not read", nil, func(s *vaulttest.Server) { s.Allow("weak", map[string][]string{"kv/data/": {"update"}}) }, "weak", molecule.Forbidden},
		{"a token that may only read", nil, func(s *vaulttest.Server) { s.Allow("weak", map[string][]string{"kv/data/": {"read"}}) }, "weak", molecule.Forbidden},
		{"another namespace", []string{"namespace", "team-b"}, nil, token, molecule.Forbidden},
		{"no mount", []string{"mount", "vk"}, nil, token, molecule.NotFound},
		{"a store of version 1", []string{"mount", "old"}, nil, token, molecule.Invalid},
		{"a standby that lags", nil, func(s *vaulttest.Server) { s.Answer(http.StatusPreconditionFailed) }, token, molecule.Unavailable},
		{"a quota", nil, func(s *vaulttest.Server) { s.Answer(http.StatusTooManyRequests) }, token, molecule.RateLimited},
	} {
		s := vaulttest.New(t, token, "")
		if tt.arrange != nil {
			tt.arrange(s)
		}
		c := change
		c.Credential = molecule.NewSecret(tt.token)
		_, err := open(t, s, tt.target...).Probe(t.Context(), c)
		if got := molecule.CodeOf(err); got != tt.want || molecule.HintOf(err) == "" || s.Versions(path) != 0 {
			t.Errorf("%s: got %v with the hint %q, want %s", tt.name, err, molecule.HintOf(err), tt.want)
		}
	}
}

func TestVault_versionThatWasDeletedIsWrittenBehind(t *testing.T) {
	t.Parallel()
	s := vaulttest.New(t, token, "")
	s.Set(path, "TOKEN", "of a stranger, and deleted")
	s.Delete(path)
	state, err := open(t, s).Apply(t.Context(), change)
	if err != nil || state.Holds != sink.HoldsNew || state.Marker != "version 2" {
		t.Errorf("got %+v, %v, want version 2 with the new value", state, err)
	}
}

func TestVault_valueThatIsNoTextIsAStrangers(t *testing.T) {
	t.Parallel()
	s := vaulttest.New(t, token, "")
	s.Set(path, "TOKEN", json.Number("42"))
	if _, err := open(t, s).Apply(t.Context(), change); sink.TroubleOf(err) != sink.Drifted {
		t.Errorf("got %v, want drift", err)
	}
}

func TestVault_refusalOfTheServerIsToldWithoutTheValue(t *testing.T) {
	t.Parallel()
	s := vaulttest.New(t, token, "")
	s.Before(func(r *http.Request) {
		if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/kv/data/") {
			r.Body = http.NoBody
		}
	})
	_, err := open(t, s).Apply(t.Context(), change)
	if molecule.CodeOf(err) != molecule.Invalid || sink.TroubleOf(err) != sink.Refused || strings.Contains(err.Error(), change.New.Reveal()) {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestVault_targetsThatAreNoneAreRefusedBeforeAnybodyIsAsked(t *testing.T) {
	t.Parallel()
	for _, target := range []map[string]string{
		{"url": "http://vault.example.com:8200", "mount": "kv", "path": path},
		{"url": "https://vault.example.com", "mount": "kv/../sys", "path": path},
		{"url": "https://vault.example.com", "mount": "kv", "path": "a//b"},
		{"url": "https://vault.example.com", "mount": "kv", "path": path, "ca": "ca.pem"},
		{"url": "https://vault.example.com", "mount": "kv", "path": path, "ca": "/nowhere/ca.pem"},
		{"url": "https://vault.example.com", "mount": "kv", "path": path, "plaintext": "maybe"},
	} {
		_, err := Open(sink.Spec{Secret: "TOKEN", Net: guard(t), SinkSpec: molecule.SinkSpec{Kind: "vault", Target: target}})
		if err == nil || molecule.HintOf(err) == "" {
			t.Errorf("%v: got %v, want an error with a hint", target, err)
		}
	}
}
