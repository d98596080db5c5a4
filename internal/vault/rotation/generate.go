package rotation

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// letters are what passwords are made of: none is mistaken for another, and none
// means something in a URL or a shell.
const letters = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"

// Generate makes a value. Kinds that are made elsewhere are Invalid.
func Generate(g molecule.Generator) (molecule.Secret, error) {
	switch g.Kind {
	case molecule.GeneratePassword:
		return molecule.NewSecret(password(cmp.Or(g.Length, 32))), nil
	case molecule.GeneratePassphrase:
		return molecule.NewSecret(passphrase(cmp.Or(g.Length, 8))), nil
	case molecule.GenerateHex:
		return molecule.NewSecret(hex.EncodeToString(random(cmp.Or(g.Length, 32)))), nil
	case molecule.GenerateBase64URL:
		return molecule.NewSecret(base64.RawURLEncoding.EncodeToString(random(cmp.Or(g.Length, 32)))), nil
	case molecule.GenerateUUID:
		id, err := uuid.NewRandom()
		return molecule.NewSecret(id.String()), err
	case molecule.GenerateEd25519:
		return signingKey()
	}
	return molecule.Secret{}, molecule.Errorf(molecule.Invalid, "a value of kind %q is not made here", g.Kind).
		WithHint("make it elsewhere and hand it over: --from-file FILE")
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it would end the program
	return b
}

// pick returns one byte of from, each as likely as any other.
func pick(from string) byte {
	for { // what would favour the first ones is drawn again
		if n := int(random(1)[0]); n < 256-256%len(from) {
			return from[n%len(from)]
		}
	}
}

func password(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = pick(letters)
	}
	return string(b)
}

// passphrase makes words that can be said: two syllables of three letters each
// have 20 bits.
func passphrase(n int) string {
	const consonants, vowels = "bdfgjklmnprstvz", "aeiou"
	words := make([]string, n)
	for i := range words {
		for range 2 {
			words[i] += string([]byte{pick(consonants), pick(vowels), pick(consonants)})
		}
	}
	return strings.Join(words, "-")
}

// signingKey makes a private key as openssl reads it.
func signingKey() (molecule.Secret, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return molecule.Secret{}, fmt.Errorf("make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return molecule.Secret{}, fmt.Errorf("write a key: %w", err)
	}
	return molecule.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))), nil
}
