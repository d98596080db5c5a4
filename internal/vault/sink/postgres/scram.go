package postgres

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/molecule-ai/molecli/internal/vault/sink"
)

const (
	scramName = "SCRAM-SHA-256"
	// iterations is what the server itself uses, and so what its clients expect.
	iterations = 4096
	saltBytes  = 16
)

// passwordOf refuses a value that clients would not all send alike. Beyond
// printable ASCII they normalise it, and not all in one way.
func passwordOf(value string) error {
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' {
			return sink.Rejected("a password of PostgreSQL is printable ASCII here, and the value is not")
		}
	}
	return nil
}

// verifier returns what the server keeps of a password. It goes into a statement
// in its place, so that no log has the password.
func verifier(password string) (string, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails: it would end the program
	stored, server, err := scramKeys(password, salt, iterations)
	if err != nil {
		return "", err
	}
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s$%d:%s$%s:%s", scramName, iterations, b64(salt), b64(stored), b64(server)), nil
}

// scramKeys derives the two keys of RFC 5802.
func scramKeys(password string, salt []byte, iterations int) (stored, server []byte, err error) {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return nil, nil, fmt.Errorf("derive a key: %w", err)
	}
	sum := func(text string) []byte {
		mac := hmac.New(sha256.New, salted)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	client := sha256.Sum256(sum("Client Key"))
	return client[:], sum("Server Key"), nil
}

// matches reports whether a password is the one that kept was made of, by this
// package or by the server.
func matches(kept, role, password string) bool {
	if digest, ok := strings.CutPrefix(kept, "md5"); ok {
		sum := md5.Sum([]byte(password + role)) // how servers before version 14 kept it
		return equal(digest, hex.EncodeToString(sum[:]))
	}
	rest, ok := strings.CutPrefix(kept, scramName+"$")
	parts := strings.FieldsFunc(rest, func(r rune) bool { return r == ':' || r == '$' })
	if !ok || len(parts) != 4 {
		return false
	}
	rounds, err := strconv.Atoi(parts[0])
	salt, err2 := base64.StdEncoding.DecodeString(parts[1])
	if err != nil || err2 != nil || rounds < 1 {
		return false
	}
	stored, _, err := scramKeys(password, salt, rounds)
	return err == nil && equal(parts[2], base64.StdEncoding.EncodeToString(stored))
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
