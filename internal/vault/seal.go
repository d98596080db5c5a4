package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Purposes of what is sealed, so that one can never be put in the place of the
// other.
const (
	purposeValue   = "value"
	purposeDataKey = "data key"
)

// bound is what a ciphertext is bound to: it opens only as the same version of
// the same secret, and for the same purpose.
func bound(secretID string, version int, purpose string) []byte {
	b := append([]byte("molecule vault 1\x00"), purpose...)
	b = append(b, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(version))
	return append(b, secretID...)
}

func gcm(k []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(k)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func sealWith(k, plain, place []byte) ([]byte, error) {
	aead, err := gcm(k)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, plain, place), nil
}

func openWith(k, sealed, place []byte) ([]byte, error) {
	aead, err := gcm(k)
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, nil, sealed, place)
}

// seal seals a value for its place, by a data key that nobody else has.
func (r *Keyring) seal(secretID string, version int, value []byte) (molecule.Sealed, error) {
	var data [keyBytes]byte
	_, _ = rand.Read(data[:]) // never fails: it would end the program
	defer clear(data[:])
	body, err := sealWith(data[:], value, bound(secretID, version, purposeValue))
	if err != nil {
		return molecule.Sealed{}, fmt.Errorf("seal a value: %w", err)
	}
	master := r.current
	wrapped, err := sealWith(master[:], data[:], bound(secretID, version, purposeDataKey))
	if err != nil {
		return molecule.Sealed{}, fmt.Errorf("wrap a data key: %w", err)
	}
	return molecule.Sealed{SecretID: secretID, Version: version, KeyID: master.id(), Wrapped: wrapped, Body: body, Bytes: len(value)}, nil
}

// dataKey unwraps the data key of s.
func (r *Keyring) dataKey(s molecule.Sealed) ([]byte, error) {
	master, ok := r.named(s.KeyID)
	switch {
	case len(s.Wrapped) == 0:
		return nil, molecule.Errorf(molecule.NotFound, "version %d was destroyed", s.Version)
	case !ok:
		return nil, molecule.Errorf(molecule.Unavailable, "version %d is wrapped by master key %s, which is not here", s.Version, s.KeyID).
			WithHint("give the daemon that key as the previous one, and then: molecli secrets rewrap")
	}
	data, err := openWith(master[:], s.Wrapped, bound(s.SecretID, s.Version, purposeDataKey))
	if err != nil {
		return nil, molecule.Errorf(molecule.Internal, "the data key of version %d does not open: the row was changed or moved", s.Version)
	}
	return data, nil
}

// open returns the value of s.
func (r *Keyring) open(s molecule.Sealed) ([]byte, error) {
	data, err := r.dataKey(s)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	value, err := openWith(data, s.Body, bound(s.SecretID, s.Version, purposeValue))
	if err != nil {
		return nil, molecule.Errorf(molecule.Internal, "version %d does not open: the row was changed or moved", s.Version)
	}
	return value, nil
}

// rewrap returns s with its data key wrapped by the current master key. The
// value is not touched, nor even opened.
func (r *Keyring) rewrap(s molecule.Sealed) (molecule.Sealed, error) {
	data, err := r.dataKey(s)
	if err != nil {
		return s, err
	}
	defer clear(data)
	master := r.current
	s.Wrapped, err = sealWith(master[:], data, bound(s.SecretID, s.Version, purposeDataKey))
	s.KeyID = master.id()
	return s, err
}

// fingerprintBytes is how much of a fingerprint is kept: enough to tell values
// apart, and worth nothing to who wants to guess one without the key.
const fingerprintBytes = 8

// fingerprint returns what can be shown of a value of a secret.
func (r *Keyring) fingerprint(secretID string, value []byte) string {
	return r.mac("fingerprint\x00"+secretID+"\x00", value)
}

// sameness returns what equal values of different secrets have in common.
func (r *Keyring) sameness(value []byte) string { return r.mac("sameness\x00", value) }

func (r *Keyring) mac(label string, value []byte) string {
	m := hmac.New(sha256.New, r.marks[:])
	m.Write([]byte(label))
	m.Write(value)
	return hex.EncodeToString(m.Sum(nil)[:fingerprintBytes])
}
