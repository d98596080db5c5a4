package vault

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// keyBytes is the size of every key: AES-256.
const keyBytes = 32

// keyPrefix begins every master key that is written down. With the checksum at
// the end it leaves no text that could be read as a key in two ways.
const keyPrefix = "molkey1-"

// key is a master key.
type key [keyBytes]byte

// newKey makes a key from random.
func newKey() (k key) {
	_, _ = rand.Read(k[:]) // never fails: it would end the program
	return k
}

// id tells keys apart and says nothing of them.
func (k key) id() string {
	sum := sha256.Sum256(append([]byte("molecule vault key id\x00"), k[:]...))
	return hex.EncodeToString(sum[:6])
}

// encoding is lower case base32: nothing in it is mistaken for something else
// when it is read out.
var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// text is k as it is written down.
func (k key) text() molecule.Secret {
	body := keyPrefix + encoding.EncodeToString(k[:])
	return molecule.NewSecret(body + "-" + checksum(body))
}

func checksum(body string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body))) }

// parseKey reads a key as it is written down, one newline behind it tolerated.
// The error never holds a part of it.
func parseKey(text string) (key, error) {
	text = strings.TrimSuffix(text, "\n")
	body, ok := strings.CutPrefix(text, keyPrefix)
	at := strings.LastIndexByte(body, '-')
	if !ok || at < 0 {
		return key{}, badKey("it does not begin with " + keyPrefix)
	}
	if checksum(text[:len(keyPrefix)+at]) != body[at+1:] {
		return key{}, badKey("its checksum is wrong: it is mistyped or cut short")
	}
	raw, err := encoding.DecodeString(body[:at])
	if err != nil || len(raw) != keyBytes || encoding.EncodeToString(raw) != body[:at] {
		return key{}, badKey("it is not 256 bits")
	}
	return key(raw), nil
}

func badKey(why string) error {
	return molecule.Errorf(molecule.Invalid, "this is no master key: %s", why).
		WithHint("bring it back from where it was kept; while nothing is sealed yet, move it away, and the daemon makes another")
}
