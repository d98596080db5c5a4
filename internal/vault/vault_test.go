package vault

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

func ring() *Keyring { return &Keyring{current: newKey(), marks: newKey()} }

func TestParseKey_readsWhatIsWrittenAndNothingElse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := key(rapid.SliceOfN(rapid.Byte(), keyBytes, keyBytes).Draw(t, "key"))
		text := k.text().Reveal()
		if got, err := parseKey(text + "\n"); err != nil || got != k {
			t.Fatalf("got %v, %v", got, err)
		}
		at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		b := rapid.Byte().Draw(t, "byte")
		if other := text[:at] + string([]byte{b}) + text[at+1:]; other != text {
			if got, err := parseKey(other); err == nil {
				t.Fatalf("%q is read as a key, %x", other, got)
			} else if strings.Contains(err.Error(), text[10:30]) {
				t.Fatalf("the error holds a part of the key: %v", err)
			}
		}
	})
	for _, text := range []string{"", "molkey1-", "molkey1--00000000", strings.Repeat("a", 64), "molkey2-" + strings.TrimPrefix(newKey().text().Reveal(), keyPrefix)} {
		if _, err := parseKey(text); molecule.CodeOf(err) != molecule.Invalid {
			t.Errorf("%q: got error %v", text, err)
		}
	}
}

func TestSeal_opensOnlyInItsPlace(t *testing.T) {
	t.Parallel()
	r := ring()
	value := []byte("the value")
	one, err := r.seal("one", 1, value)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.open(one); err != nil || !bytes.Equal(got, value) {
		t.Fatalf("got %q, %v", got, err)
	}
	two, err := r.seal("two", 1, []byte("another"))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*molecule.Sealed){
		"of another secret":       func(s *molecule.Sealed) { s.SecretID = "two" },
		"of another version":      func(s *molecule.Sealed) { s.Version = 2 },
		"with another's data key": func(s *molecule.Sealed) { s.Wrapped = two.Wrapped },
		"with another's body":     func(s *molecule.Sealed) { s.Body = two.Body },
		"with both swapped":       func(s *molecule.Sealed) { s.Wrapped, s.Body = s.Body, s.Wrapped },
		"whose body is changed": func(s *molecule.Sealed) {
			s.Body = append(bytes.Clone(s.Body[:len(s.Body)-1]), s.Body[len(s.Body)-1]^1)
		},
		"whose data key is cut":      func(s *molecule.Sealed) { s.Wrapped = s.Wrapped[:len(s.Wrapped)-1] },
		"of an unknown master key":   func(s *molecule.Sealed) { s.KeyID = "000000000000" },
		"that was destroyed":         func(s *molecule.Sealed) { s.Wrapped, s.Body = nil, nil },
		"without anything in it":     func(s *molecule.Sealed) { s.Body = nil },
		"the whole row of the other": func(s *molecule.Sealed) { s.Wrapped, s.Body = two.Wrapped, two.Body },
	} {
		moved := one
		change(&moved)
		if got, err := r.open(moved); err == nil {
			t.Errorf("a row %s opens: %q", name, got)
		} else if strings.Contains(err.Error(), "the value") {
			t.Errorf("a row %s: the error holds the value: %v", name, err)
		}
	}
	if again, err := r.seal("one", 1, value); err != nil || bytes.Equal(again.Body, one.Body) || bytes.Equal(again.Wrapped, one.Wrapped) {
		t.Errorf("what is sealed twice looks alike, %v", err)
	}
}

func TestRewrap_changesTheMasterKeyAndNoValue(t *testing.T) {
	t.Parallel()
	old := ring()
	s, err := old.seal("one", 3, []byte("the value"))
	if err != nil {
		t.Fatal(err)
	}
	both := &Keyring{current: newKey(), previous: &old.current}
	wrapped, err := both.rewrap(s)
	if err != nil || wrapped.KeyID != both.KeyID() || !bytes.Equal(wrapped.Body, s.Body) || bytes.Equal(wrapped.Wrapped, s.Wrapped) {
		t.Fatalf("got %+v, %v", wrapped, err)
	}
	alone := &Keyring{current: both.current}
	if got, err := alone.open(wrapped); err != nil || string(got) != "the value" {
		t.Errorf("with the new key alone: %q, %v", got, err)
	}
	if _, err := alone.open(s); molecule.CodeOf(err) != molecule.Unavailable || !strings.Contains(molecule.HintOf(err), "previous") {
		t.Errorf("what the old key wraps: got error %v", err)
	}
}

// opened is a service on a real store.
func opened(t testing.TB, r *Keyring) (*Service, *sqlite.DB) {
	t.Helper()
	db := sqlitetest.Open(t)
	return NewService(db, r), db
}

func admin(ctx context.Context) context.Context {
	return molecule.WithPrincipal(ctx, molecule.Principal{
		Name: "uid:0", Scopes: []molecule.Scope{molecule.ScopeAdmin}, Local: true, Source: "socket", Fresh: true,
	})
}

func value(name, text string) molecule.NewSecretValue {
	return molecule.NewSecretValue{Name: name, Value: molecule.Show(molecule.NewSecret(base64.StdEncoding.EncodeToString([]byte(text))))}
}

func TestService_keepsVersionsAndTellsThemOnlyWithAReason(t *testing.T) {
	t.Parallel()
	s, db := opened(t, ring())
	ctx := admin(t.Context())
	first, err := s.AddSecret(ctx, value("API_TOKEN", "value-1"))
	if err != nil || first.Current != 1 || first.Class != molecule.SecretMinted {
		t.Fatalf("got %+v, %v", first, err)
	}
	if _, err := s.AddSecret(ctx, value("API_TOKEN", "value-1")); molecule.CodeOf(err) != molecule.Conflict {
		t.Errorf("a name in use: got error %v", err)
	}
	if _, err := s.SetSecret(ctx, value("API_TOKEN", "value-1")); molecule.CodeOf(err) != molecule.Conflict {
		t.Errorf("the same value again: got error %v", err)
	}
	for n := 2; n <= molecule.KeptVersions+3; n++ {
		if got, err := s.SetSecret(ctx, value("API_TOKEN", fmt.Sprintf("value-%d", n))); err != nil || got.Current != n {
			t.Fatalf("version %d: %+v, %v", n, got, err)
		}
	}
	kept, err := s.Secret(ctx, "API_TOKEN")
	if err != nil || len(kept.Versions) != molecule.KeptVersions+3 {
		t.Fatalf("got %+v, %v", kept, err)
	}
	for _, v := range kept.Versions {
		want := molecule.VersionRetired
		switch {
		case v.Version == kept.Current:
			want = molecule.VersionCurrent
		case v.Version <= kept.Current-molecule.KeptVersions:
			want = molecule.VersionDestroyed
		}
		if v.State != want {
			t.Errorf("version %d is %s, want %s", v.Version, v.State, want)
		}
		told, err := s.RevealSecret(ctx, "API_TOKEN", v.Version, "a test")
		if (err == nil) != (want != molecule.VersionDestroyed) {
			t.Errorf("version %d, %s: %v", v.Version, v.State, err)
		}
		if raw, derr := base64.StdEncoding.DecodeString(told.Value.Reveal()); err == nil && (derr != nil || string(raw) != fmt.Sprintf("value-%d", v.Version)) {
			t.Errorf("version %d is %q", v.Version, raw)
		}
	}
	if _, err := s.RevealSecret(ctx, "API_TOKEN", 0, ""); molecule.CodeOf(err) != molecule.Invalid {
		t.Errorf("without a reason: got error %v", err)
	}
	remote := molecule.WithPrincipal(t.Context(), molecule.Principal{Name: "token:x", Scopes: []molecule.Scope{molecule.ScopeAdmin}})
	if _, err := s.RevealSecret(remote, "API_TOKEN", 0, "please"); molecule.CodeOf(err) != molecule.Forbidden {
		t.Errorf("over TCP: got error %v", err)
	}
	rows, err := db.Audit(t.Context(), molecule.AuditFilter{Action: molecule.EventSecretRevealed})
	if err != nil || len(rows.Items) != molecule.KeptVersions || rows.Items[0].Reason != "a test" {
		t.Errorf("the audit trail tells %d times, %v", len(rows.Items), err)
	}
}

func TestService_refusesWhatIsNoValue(t *testing.T) {
	t.Parallel()
	s, _ := opened(t, ring())
	ctx := admin(t.Context())
	for name, in := range map[string]molecule.NewSecretValue{
		"empty": value("A", ""), "too large": value("A", strings.Repeat("x", molecule.MaxSecretBytes+1)),
		"no name": value("", "x"), "an assignment": value("A=secret", "x"), "a name with a blank": value("A B", "x"),
		"no base64": {Name: "A", Value: molecule.Show(molecule.NewSecret("%"))}, "a class that is none": {Name: "A", Class: "mint", Value: value("", "x").Value},
	} {
		_, err := s.AddSecret(ctx, in)
		if code := molecule.CodeOf(err); code != molecule.Invalid && code != molecule.TooLarge {
			t.Errorf("%s: got error %v", name, err)
		}
		if err != nil && strings.Contains(err.Error()+molecule.HintOf(err), "secret") && name == "an assignment" && strings.Contains(err.Error()+molecule.HintOf(err), "=secret") {
			t.Errorf("%s: the error repeats the value: %v", name, err)
		}
	}
	binary := string([]byte{0, 255, 10, 13})
	if _, err := s.AddSecret(ctx, value("BIN", binary)); err != nil {
		t.Fatal(err)
	}
	if got, _, err := s.Value(ctx, "BIN"); err != nil || string(got) != binary {
		t.Errorf("bytes come back as %q, %v", got, err)
	}
}

func TestService_findsValuesThatAreUsedTwice(t *testing.T) {
	t.Parallel()
	s, _ := opened(t, ring())
	ctx := admin(t.Context())
	for _, name := range []string{"A", "B", "C"} {
		if _, err := s.AddSecret(ctx, value(name, "the same")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.SetSecret(ctx, value("C", "another")); err != nil {
		t.Fatal(err)
	}
	a, err := s.Secret(ctx, "A")
	if err != nil || strings.Join(a.Reused, " ") != "B" {
		t.Errorf("A shares its value with %v, %v", a.Reused, err)
	}
	if b, err := s.Secret(ctx, "B"); err != nil || b.Fingerprint == a.Fingerprint {
		t.Errorf("two secrets have one fingerprint: %s, %v", b.Fingerprint, err)
	}
}

func TestService_rewrapsWhateverWasBegun(t *testing.T) {
	t.Parallel()
	old := ring()
	s, db := opened(t, old)
	ctx := admin(t.Context())
	const secrets = 3*rewrapSlice/100 + 7
	for n := range secrets {
		if _, err := s.AddSecret(ctx, value(fmt.Sprintf("S%d", n), fmt.Sprintf("value %d", n))); err != nil {
			t.Fatal(err)
		}
	}
	before, err := s.Secret(ctx, "S3")
	if err != nil {
		t.Fatal(err)
	}
	next := &Keyring{current: newKey(), previous: &old.current}
	stopped, stop := context.WithCancel(ctx)
	stop()
	if _, err := NewService(db, next).RewrapSecrets(stopped); err == nil {
		t.Error("a rewrap that was stopped says it is done")
	}
	out, err := NewService(db, next).RewrapSecrets(ctx)
	if err != nil || out.Versions != secrets || out.KeyID != next.KeyID() {
		t.Fatalf("got %+v, %v", out, err)
	}
	if again, err := NewService(db, next).RewrapSecrets(ctx); err != nil || again.Versions != 0 {
		t.Errorf("a second time: %+v, %v", again, err)
	}
	alone := NewService(db, &Keyring{current: next.current})
	if got, _, err := alone.Value(ctx, "S3"); err != nil || string(got) != "value 3" {
		t.Errorf("with the new key alone: %q, %v", got, err)
	}
	if after, err := alone.SetSecret(ctx, value("S3", "value 3")); molecule.CodeOf(err) != molecule.Conflict {
		t.Errorf("the fingerprint changed with the master key: %s before, %+v, %v", before.Fingerprint, after, err)
	}
	if _, err := NewService(db, ring()).AddSecret(ctx, value("X", "x")); molecule.CodeOf(err) != molecule.Unavailable {
		t.Errorf("with a key that wraps nothing here: got error %v", err)
	}
}

func TestRewrap_leavesWhatDoesNotOpenAndKeepsAskingForTheKeyBefore(t *testing.T) {
	t.Parallel()
	old := ring()
	s, db := opened(t, old)
	ctx := admin(t.Context())
	for _, name := range []string{"A", "B", "C"} {
		if _, err := s.AddSecret(ctx, value(name, "value of "+name)); err != nil {
			t.Fatal(err)
		}
	}
	_, b, err := db.SealedVersion(ctx, "B", 1)
	if err != nil {
		t.Fatal(err)
	}
	broken := b
	broken.Wrapped = append(bytes.Clone(b.Wrapped[:len(b.Wrapped)-1]), b.Wrapped[len(b.Wrapped)-1]^1)
	if n, err := db.Rewrap(ctx, []molecule.Sealed{b}, []molecule.Sealed{broken}); err != nil || n != 1 {
		t.Fatalf("break a row: %d, %v", n, err)
	}
	next := &Keyring{current: newKey(), previous: &old.current}
	if out, err := NewService(db, next).RewrapSecrets(ctx); err != nil || out.Versions != 2 || out.Left != 1 {
		t.Errorf("got %+v, %v", out, err)
	}
	alone := func() error { return NewService(db, &Keyring{current: next.current}).Check(ctx) }
	if err := alone(); molecule.CodeOf(err) != molecule.Unavailable || !strings.Contains(err.Error(), old.KeyID()) {
		t.Errorf("the key before is not asked for: %v", err)
	}
	if err := s.RemoveSecret(ctx, "B"); err != nil {
		t.Fatal(err)
	}
	if out, err := NewService(db, next).RewrapSecrets(ctx); err != nil || out.Left != 0 {
		t.Errorf("without the broken one: %+v, %v", out, err)
	}
	if err := alone(); err != nil {
		t.Errorf("the key before is asked for when nothing needs it: %v", err)
	}
	rows, err := db.Audit(ctx, molecule.AuditFilter{Action: molecule.EventSecretsRewrapped})
	if err != nil || len(rows.Items) != 3 {
		t.Errorf("the audit trail has %d rows of three transactions, %v", len(rows.Items), err)
	}
}

func TestMakeKeyFile_isWholeOrNotThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "master.key")
	if err := os.WriteFile(path+".new", []byte("molkey1-half"), 0o644); err != nil { // as a crash leaves it
		t.Fatal(err)
	}
	from := Sources{Current: "file:" + path}
	if made, err := from.Make(); err != nil || made != path {
		t.Fatalf("made %q, %v", made, err)
	}
	first, err := Load(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	if made, err := from.Make(); err != nil || made != "" {
		t.Errorf("made it again: %q, %v", made, err)
	}
	if again, err := Load(t.Context(), from); err != nil || again.current != first.current {
		t.Errorf("the key is another one, %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("the directory holds %v, %v", left, err)
	}
	if _, err := (Sources{Current: "file:" + filepath.Join(path, "below", "a.key")}).Make(); err != nil && strings.Contains(err.Error(), keyPrefix) {
		t.Errorf("the error holds a key: %v", err)
	}
}

func TestCheckSource_neverRepeatsAKey(t *testing.T) {
	t.Parallel()
	text := newKey().text().Reveal()
	for _, source := range []string{text, "file" + text, "env:" + text, "file:", "credential: ", ""} {
		err := CheckSource(source)
		if molecule.CodeOf(err) != molecule.Invalid {
			t.Errorf("a source is taken that is none: got error %v", err)
		}
		if err != nil && strings.Contains(err.Error()+molecule.HintOf(err), text[len(keyPrefix):len(keyPrefix)+10]) {
			t.Errorf("the error holds the key: %v", err)
		}
	}
}

func TestLoad_readsEachSource(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "master.key")
	if err := MakeKeyFile(file); err != nil {
		t.Fatal(err)
	}
	if err := MakeKeyFile(file); molecule.CodeOf(err) != molecule.Conflict {
		t.Errorf("a key is replaced: %v", err)
	}
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	salt := bytes.Repeat([]byte{7}, 16)
	for name, c := range map[string]struct {
		source string
		code   molecule.Code
	}{
		"file":                       {"file:" + file, ""},
		"credential":                 {"credential:master.key", ""},
		"exec":                       {"exec:cat " + file, ""},
		"passphrase":                 {"passphrase:" + write("phrase", "correct horse battery staple\n", 0o600), ""},
		"a short passphrase":         {"passphrase:" + write("short", "hunter2", 0o600), molecule.Invalid},
		"a file that is not there":   {"file:" + file + "x", molecule.NotFound},
		"a file others can read":     {"file:" + write("open", string(text), 0o640), molecule.Forbidden},
		"a link":                     {"file:" + link, molecule.Forbidden},
		"a file with something else": {"file:" + write("other", "hello", 0o600), molecule.Invalid},
		"a credential from outside":  {"credential:../master.key", molecule.NotFound},
		"a program that fails":       {"exec:false", molecule.Unavailable},
		"a program that babbles":     {"exec:head -c 5000 /dev/zero", molecule.Invalid},
		"no program":                 {"exec:", molecule.Invalid},
		"no source":                  {"env:KEY", molecule.Invalid},
		"nothing":                    {"", molecule.Invalid},
	} {
		r, err := Load(t.Context(), Sources{Current: c.source, Salt: salt})
		if (err == nil) != (c.code == "") || err != nil && molecule.CodeOf(err) != c.code {
			t.Errorf("%s: got %v, %v, want %q", name, r != nil, err, c.code)
		}
		if err != nil && !strings.Contains(err.Error(), "secrets.master_key") {
			t.Errorf("%s: the error names no setting: %v", name, err)
		}
	}
	one, err := Load(t.Context(), Sources{Current: "passphrase:" + filepath.Join(dir, "phrase"), Salt: salt})
	two, err2 := Load(t.Context(), Sources{Current: "passphrase:" + filepath.Join(dir, "phrase"), Salt: bytes.Repeat([]byte{8}, 16)})
	if err := errors.Join(err, err2); err != nil || one.current == two.current {
		t.Errorf("two salts make one key, %v", err)
	}
}
