package secretmap

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/config"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// sample is the map that is installed.
func sample(tb testing.TB) *File {
	tb.Helper()
	f, err := Read("secrets.yaml", string(config.Secrets))
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func TestSample_hasTheTwelveAndNothingIsWrongWithThem(t *testing.T) {
	t.Parallel()
	f := sample(t)
	for _, found := range f.Lint() {
		t.Errorf("%s: %s", found.Rule, f.Show(found))
	}
	var got []string
	for _, s := range f.Map.Secrets {
		got = append(got, strings.Join([]string{s.Name, string(s.Class), string(s.Effective().Overlap), string(s.Policy) + s.RotateEvery.String()}, " "))
	}
	want := []string{
		"FLY_API_TOKEN minted dual 90d", "REGISTRY_USER literal dual never0s", "NEON_API_KEY minted dual 90d",
		"DATABASE_URL derived dual on_incident0s", "TENANT_REDIS_URL derived dual on_incident0s", "SECRETS_ENCRYPTION_KEY encryption_root dual on_incident0s",
		"RESEND_API_KEY minted dual 180d", "RESEND_FROM_EMAIL config dual on_incident0s", "STRIPE_API_KEY minted single_minted 365d",
		"STRIPE_WEBHOOK_SECRET minted window 365d", "GITHUB_TOKEN auto dual auto0s", "ANTHROPIC_API_KEY minted dual 90d",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got, want:\n%s", diff)
	}
}

func TestSample_saysOfTheFlyTokenWhatTheRunbookSaid(t *testing.T) {
	t.Parallel()
	s, ok := sample(t).Map.Secret("FLY_API_TOKEN")
	if !ok || !s.Coupled() || !s.SelfCredential() || s.User != "REGISTRY_USER" {
		t.Fatalf("got %+v, %v", s, ok)
	}
	var kinds []string
	for _, k := range s.Sinks {
		kinds = append(kinds, k.Kind)
	}
	if diff := cmp.Diff(kinds, []string{"fly", "github", "htpasswd"}); diff != "" {
		t.Errorf("the order is (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff([][]int{s.Verify.Alive, s.Verify.Dead}, [][]int{{400}, {401}}); diff != "" {
		t.Errorf("alive and dead (-got +want):\n%s", diff)
	}
	if x, ok := sample(t).Map.Secret("REGISTRY_USER"); !ok || x.Literal != "x" || molecule.CodeOf(x.Rotatable()) != molecule.Conflict {
		t.Errorf("got %+v, %v", x, ok)
	}
}
