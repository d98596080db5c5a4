package molecule

// Sealed is a version of a secret as it is stored: nothing in it is worth
// anything without the master key.
type Sealed struct {
	SecretID    string
	Version     int
	State       VersionState
	KeyID       string // of the master key
	Wrapped     []byte // the data key, sealed by the master key; nil: destroyed
	Body        []byte // the value, sealed by the data key
	Fingerprint string
	Sameness    string // equal for equal values of different secrets
	Bytes       int
	CreatedBy   string
}
