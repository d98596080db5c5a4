package molecule

import (
	"context"
	"time"
)

// Bounds of secrets.
const (
	MaxSecretBytes   = 1 << 20
	ShortSecretBytes = 8  // a shorter value cannot be told from other text
	KeptVersions     = 10 // of each secret, the current one among them
)

// VersionState says what a version of a secret is good for.
type VersionState string

// The states of a version.
const (
	VersionPending   VersionState = "pending"   // sealed, and not yet in use
	VersionCurrent   VersionState = "current"   // what holders are given
	VersionGrace     VersionState = "grace"     // replaced, and not yet revoked
	VersionRetired   VersionState = "retired"   // good for nothing any more, kept to be looked at
	VersionDestroyed VersionState = "destroyed" // its data key is gone: nobody can open it
)

// StoredSecret is what is known of a secret: everything but its values.
type StoredSecret struct {
	ID        string        `json:"id"`
	Name      string        `json:"name"` // its case is kept
	Class     SecretClass   `json:"class"`
	Owner     string        `json:"owner,omitempty"`
	Current   int           `json:"current"` // number of the version in use; 0: none yet
	CreatedAt time.Time     `json:"created_at"`
	UpdatedAt time.Time     `json:"updated_at"`
	Versions  []SecretValue `json:"versions,omitempty"` // newest first; left out of lists

	// Of the version in use.
	Fingerprint string    `json:"fingerprint,omitempty"`
	SetAt       time.Time `json:"set_at,omitzero"`
	// Reused names other secrets that hold the same value.
	Reused []string `json:"reused,omitempty"`
}

// SecretValue is what is known of one version of a secret.
type SecretValue struct {
	Version     int          `json:"version"`
	State       VersionState `json:"state"`
	Fingerprint string       `json:"fingerprint"`
	KeyID       string       `json:"key_id"` // of the master key that wraps its own
	Bytes       int          `json:"bytes"`
	CreatedAt   time.Time    `json:"created_at"`
	CreatedBy   string       `json:"created_by"`
}

// NewSecretValue is a value on its way into the vault.
type NewSecretValue struct {
	Name  string      `json:"name"`
	Class SecretClass `json:"class,omitempty"` // of a secret that is new; zero: minted
	Owner string      `json:"owner,omitempty"`
	Value Shown       `json:"value"` // base64 on the wire, because a value may be any bytes
}

// Revealed is a value on its way out of the vault.
type Revealed struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Value   Shown  `json:"value"`
}

// Rewrapped says what a change of the master key did.
type Rewrapped struct {
	KeyID    string `json:"key_id"`   // of the key that wraps everything now
	Versions int    `json:"versions"` // whose data keys were wrapped anew
	Left     int    `json:"left"`     // that could not be
}

// SecretService keeps secrets. Errors are as in [AgentService].
type SecretService interface {
	// AddSecret stores the first version of a secret; a name in use is a Conflict.
	AddSecret(ctx context.Context, in NewSecretValue) (StoredSecret, error)
	// SetSecret stores a further version and makes it the one in use, at no sink.
	SetSecret(ctx context.Context, in NewSecretValue) (StoredSecret, error)
	Secret(ctx context.Context, ref string) (StoredSecret, error)
	Secrets(ctx context.Context) ([]StoredSecret, error)
	RemoveSecret(ctx context.Context, ref string) error
	// RevealSecret opens a version, 0 for the one in use. It is for an
	// administrator on the socket who gives a reason.
	RevealSecret(ctx context.Context, ref string, version int, reason string) (Revealed, error)
	// RewrapSecrets wraps every data key with the newest master key.
	RewrapSecrets(ctx context.Context) (Rewrapped, error)
}

// Validate refuses a name that no secret can have and a class that is none.
func (n NewSecretValue) Validate() error {
	if err := ValidateSecretName(n.Name); err != nil {
		return err
	}
	return choice("class of secrets", n.Class, SecretClasses()...)
}

// ValidateSecretName checks a name as environments have it: letters, digits, and
// _ - . between them, up to 128.
func ValidateSecretName(name string) error {
	ok := name != "" && len(name) <= 128
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		inside := r >= '0' && r <= '9' || r == '_' || r == '-' || r == '.'
		if !letter && (i == 0 || !inside) {
			ok = false
		}
	}
	if ok {
		return nil
	}
	if at, _, found := cutAssignment(name); found {
		return Errorf(Invalid, "a value has no place on the command line: it stays in the history and in the list of processes").
			WithHint("printf %%s VALUE | molecli secrets set %s --from-file -", at)
	}
	return Errorf(Invalid, "secret name %q is not valid", clip(name, 60)).WithHint("begin with a letter; use letters, digits, _ - and .")
}

// cutAssignment cuts NAME=value.
func cutAssignment(text string) (name, value string, found bool) {
	for i, r := range text {
		if r == '=' {
			return clip(text[:i], 60), text[i+1:], i > 0
		}
	}
	return "", "", false
}
