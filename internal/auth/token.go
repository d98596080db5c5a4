package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// A token is mol_<kind>_<id>_<secret>_<checksum>. The prefix lets scanners find
// leaked ones, the id lets us find ours, the checksum tells a typing error from
// a wrong token.
const (
	tokenPrefix   = "mol"
	maxKindBytes  = 16
	idBytes       = 8
	secretBytes   = 43 // 256 bits in base 62
	checksumBytes = 8  // CRC-32 in hex
	maxTokenBytes = len(tokenPrefix) + maxKindBytes + idBytes + secretBytes + checksumBytes + 4
)

// Mint makes a token that lives from now until expires, or for ever when that
// is zero. It returns what is kept of it, and the token itself, which is shown
// once. Fields that no token can have are Invalid.
func Mint(kind, name string, scopes []molecule.Scope, now, expires time.Time) (molecule.Token, molecule.Secret, error) {
	t := molecule.Token{Name: name, Kind: kind, Scopes: slices.Clone(scopes), CreatedAt: now, ExpiresAt: expires}
	if err := validate(t); err != nil {
		return molecule.Token{}, molecule.Secret{}, err
	}
	t.ID = strings.ToLower(rand.Text()[:idBytes])

	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails: it would end the program
	digits := new(big.Int).SetBytes(random[:]).Text(62)
	digits = strings.Repeat("0", secretBytes-len(digits)) + digits
	body := strings.Join([]string{tokenPrefix, t.Kind, t.ID, digits}, "_")
	token := body + "_" + checksum(body)
	t.Digest = sha256.Sum256([]byte(token))
	return t, molecule.NewSecret(token), nil
}

func validate(t molecule.Token) error {
	if err := molecule.ValidateName("token", t.Name); err != nil {
		return err
	}
	switch {
	case !validKind(t.Kind):
		return molecule.Errorf(molecule.Invalid, "token kind %q is not valid", molecule.Excerpt(t.Kind, 40)).
			WithHint("use 1 to %d of 0-9 A-Z a-z", maxKindBytes)
	case len(t.Scopes) == 0:
		return molecule.Errorf(molecule.Invalid, "a token without a scope may do nothing")
	case !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(t.CreatedAt):
		return molecule.Errorf(molecule.Invalid, "the token would expire before it exists")
	}
	return nil
}

// Parse reads a token as it was presented and returns its kind, id and digest,
// which is all a presented token can say of itself. Anything that Mint cannot
// have made is Invalid; the error never holds a part of it.
func Parse(token string) (molecule.Token, error) {
	malformed := molecule.Errorf(molecule.Invalid, "this is not a token")
	if len(token) > maxTokenBytes {
		return molecule.Token{}, malformed
	}
	f := strings.Split(token, "_")
	if len(f) != 5 || f[0] != tokenPrefix || !validKind(f[1]) ||
		len(f[2]) != idBytes || !base62(f[2]) || len(f[3]) != secretBytes || !base62(f[3]) || len(f[4]) != checksumBytes {
		return molecule.Token{}, malformed
	}
	if f[4] != checksum(token[:len(token)-checksumBytes-1]) {
		return molecule.Token{}, molecule.Errorf(molecule.Invalid, "the token is mistyped or cut short")
	}
	return molecule.Token{Kind: f[1], ID: f[2], Digest: sha256.Sum256([]byte(token))}, nil
}

func checksum(body string) string {
	return fmt.Sprintf("%0*x", checksumBytes, crc32.ChecksumIEEE([]byte(body)))
}

func validKind(kind string) bool {
	return kind != "" && len(kind) <= maxKindBytes && base62(kind)
}

// base62 reports whether s has only the digits of base 62.
func base62(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
