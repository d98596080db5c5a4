package auth

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// noon is now for tests that compare times.
var noon = time.Date(2026, 4, 14, 12, 0, 0, 0, time.UTC)

// mint makes an operator's token that lives for an hour from noon.
func mint(t testing.TB) (molecule.Token, string) {
	t.Helper()
	token, secret, err := Mint("op", "laptop", molecule.OperateScopes(), noon, noon.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return token, secret.Reveal()
}

func TestMint_makesWhatIsKeptAndWhatIsShown(t *testing.T) {
	t.Parallel()
	token, shown := mint(t)
	shape := regexp.MustCompile(`^mol_op_[0-9a-z]{8}_[0-9A-Za-z]{43}_[0-9a-f]{8}$`)
	if !shape.MatchString(shown) {
		t.Fatalf("the token is %q, want the shape %s", shown, shape)
	}
	want := molecule.Token{
		ID: shown[len("mol_op_"):][:8], Name: "laptop", Kind: "op", Scopes: molecule.OperateScopes(),
		CreatedAt: noon, ExpiresAt: noon.Add(time.Hour), Digest: sha256.Sum256([]byte(shown)),
	}
	if diff := cmp.Diff(token, want); diff != "" {
		t.Errorf("what is kept (-got +want)\n%s", diff)
	}
}

func TestMint_neverRepeats(t *testing.T) {
	t.Parallel()
	ids, secrets := map[string]bool{}, map[string]bool{}
	for range 200 {
		token, shown := mint(t)
		ids[token.ID], secrets[shown] = true, true
	}
	if len(ids) != 200 || len(secrets) != 200 {
		t.Errorf("200 tokens have %d ids and %d secrets", len(ids), len(secrets))
	}
}

func TestMint_refusesWhatNoTokenCanHave(t *testing.T) {
	t.Parallel()
	admin := []molecule.Scope{molecule.ScopeAdmin}
	for _, tt := range []struct {
		name, kind, called string
		scopes             []molecule.Scope
		expires            time.Time
	}{
		{name: "no kind", called: "laptop", scopes: admin},
		{name: "underscore in the kind", kind: "o_p", called: "laptop", scopes: admin},
		{name: "letter of another alphabet", kind: "öp", called: "laptop", scopes: admin},
		{name: "long kind", kind: strings.Repeat("k", 17), called: "laptop", scopes: admin},
		{name: "no name", kind: "op", scopes: admin},
		{name: "name with a space", kind: "op", called: "my laptop", scopes: admin},
		{name: "no scopes", kind: "op", called: "laptop"},
		{name: "expired at birth", kind: "op", called: "laptop", scopes: admin, expires: noon},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, secret, err := Mint(tt.kind, tt.called, tt.scopes, noon, tt.expires)
			if molecule.CodeOf(err) != molecule.Invalid || !secret.IsZero() {
				t.Errorf("Mint = %v, want Invalid and no token", err)
			}
		})
	}
}

func TestParse_readsWhatMintMakesAndNothingNear(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.StringMatching(`[0-9A-Za-z]{1,16}`).Draw(t, "kind")
		token, secret, err := Mint(kind, "laptop", molecule.OperateScopes(), noon, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		shown := secret.Reveal()
		got, err := Parse(shown)
		if err != nil {
			t.Fatal(err)
		}
		want := molecule.Token{Kind: kind, ID: token.ID, Digest: token.Digest}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Fatalf("Parse (-got +want)\n%s", diff)
		}

		at := rapid.IntRange(0, len(shown)-1).Draw(t, "at")
		other := rapid.ByteRange('!', '~').Filter(func(b byte) bool { return b != shown[at] }).Draw(t, "other")
		for _, near := range []string{shown[:at] + string(other) + shown[at+1:], shown[:at], shown[:at] + shown[at+1:], shown + string(other)} {
			if _, err := Parse(near); molecule.CodeOf(err) != molecule.Invalid {
				t.Errorf("Parse of a token changed in byte %d: %v, want Invalid", at, err)
			}
		}
	})
}

func TestParse_refusesWithoutRepeatingIt(t *testing.T) {
	t.Parallel()
	_, shown := mint(t)
	f := strings.Split(shown, "_")
	// signed has the right checksum, whatever its other fields hold.
	signed := func(fields ...string) string {
		body := strings.Join(fields, "_")
		return body + "_" + checksum(body)
	}
	for name, token := range map[string]string{
		"empty":               "",
		"fields only":         "____",
		"other prefix":        signed("ghp", f[1], f[2], f[3]),
		"no kind":             signed(f[0], "", f[2], f[3]),
		"long kind":           signed(f[0], strings.Repeat("k", 17), f[2], f[3]),
		"short id":            signed(f[0], f[1], f[2][1:], f[3]),
		"hyphen in the id":    signed(f[0], f[1], "-"+f[2][1:], f[3]),
		"short secret":        signed(f[0], f[1], f[2], f[3][1:]),
		"other digit":         signed(f[0], f[1], f[2], "+"+f[3][1:]),
		"a field too many":    signed(f[0], f[1], f[2], f[3], "x"),
		"checksum of another": strings.Join(f[:4], "_") + "_00000000",
		"checksum in capital": "mol_op_ab12cd34_" + strings.Repeat("0", 43) + "_5EFD8766",
		"space around":        " " + shown + " ",
		"line end":            shown + "\n",
		"doubled":             shown + shown,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse(token)
			if molecule.CodeOf(err) != molecule.Invalid {
				t.Fatalf("Parse = %v, %v, want Invalid", got, err)
			}
			if said := fmt.Sprintf("%+v %s", err, molecule.HintOf(err)); strings.Contains(said, f[3][1:]) {
				t.Errorf("the error repeats the secret: %s", said)
			}
		})
	}
	if got := signed(f[:4]...); got != shown {
		t.Errorf("signed = %q, want the token itself", got)
	}
}

func TestParse_readsTheFormOfTheFirstRelease(t *testing.T) {
	t.Parallel()
	token := "mol_op_ab12cd34_" + strings.Repeat("0", 43) + "_5efd8766"
	got, err := Parse(token)
	want := molecule.Token{Kind: "op", ID: "ab12cd34", Digest: sha256.Sum256([]byte(token))}
	if diff := cmp.Diff(got, want); err != nil || diff != "" {
		t.Errorf("Parse: %v (-got +want)\n%s", err, diff)
	}
}

func FuzzParse(f *testing.F) {
	_, shown := mint(f)
	for _, seed := range []string{shown, shown[1:], shown[:len(shown)-1], strings.ToUpper(shown), "mol_op_ab12cd34__", "____", "", "mol"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		got, err := Parse(token)
		if err != nil {
			if molecule.CodeOf(err) != molecule.Invalid {
				t.Errorf("Parse(%q) = %v, want Invalid", token, err)
			}
			return
		}
		if !strings.HasPrefix(token, "mol_"+got.Kind+"_"+got.ID+"_") || len(token) != len("mol____")+len(got.Kind)+8+43+8 {
			t.Errorf("Parse takes %q for a token with kind %q and id %q", token, got.Kind, got.ID)
		}
		if got.Digest != sha256.Sum256([]byte(token)) {
			t.Errorf("the digest of %q is not of the whole", token)
		}
	})
}
