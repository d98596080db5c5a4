package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// A token is mol_<kind>_<id>_<secret>_<checksum>. The prefix lets scanners find
// leaked ones, the id lets us find ours, the checksum tells a typing error from
// a wrong token.
const (
	tokenPrefix = "mol"
	idBytes     = 8
	secretBytes = 43 // 256 bits in base 62
)

var (
	kindShape  = regexp.MustCompile(`^[0-9A-Za-z]{1,16}$`)
	tokenShape = regexp.MustCompile(`^mol_([0-9A-Za-z]{1,16})_([0-9A-Za-z]{8})_[0-9A-Za-z]{43}_([0-9a-f]{8})$`)
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
	case !kindShape.MatchString(t.Kind):
		return molecule.Errorf(molecule.Invalid, "token kind %q is not valid", molecule.Excerpt(t.Kind, 40)).
			WithHint("use 1 to 16 of 0-9 A-Z a-z")
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
	f := tokenShape.FindStringSubmatch(token)
	if f == nil {
		return molecule.Token{}, molecule.Errorf(molecule.Invalid, "this is not a token")
	}
	kind, id, sum := f[1], f[2], f[3]
	if sum != checksum(token[:len(token)-len(sum)-1]) {
		return molecule.Token{}, molecule.Errorf(molecule.Invalid, "the token is mistyped or cut short")
	}
	return molecule.Token{Kind: kind, ID: id, Digest: sha256.Sum256([]byte(token))}, nil
}

// checksum returns the last field of a token: the CRC-32 of all before it.
func checksum(body string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body))) }
