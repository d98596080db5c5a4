package molecule

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// sealed is what every printer of a Secret writes.
const sealed = "[sealed]"

// Secret holds a value that must not be printed. It is a struct around a
// pointer: a named string in an unexported field is printed by %+v in spite of
// its methods. The zero Secret is empty.
type Secret struct{ value *string }

// NewSecret seals s.
func NewSecret(s string) Secret { return Secret{value: &s} }

// Reveal returns the value. Call it only where the value leaves for good: a
// header, a socket, a hash.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether there is no value.
func (s Secret) IsZero() bool { return s.value == nil || *s.value == "" }

// String returns a placeholder.
func (s Secret) String() string { return sealed }

// Format writes the placeholder for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(sealed)) } // a fmt.State keeps its own error

// LogValue returns the placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(sealed) }

// MarshalJSON writes the placeholder.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + sealed + `"`), nil }

// Shown is a secret on its way to the one it was made for: JSON carries it, no
// other printer does. It is used where a token is told once.
type Shown struct{ Secret }

// Show marks s as on its way.
func Show(s Secret) Shown { return Shown{s} }

// MarshalJSON writes the value.
func (s Shown) MarshalJSON() ([]byte, error) { return json.Marshal(s.Reveal()) }

// UnmarshalJSON reads the value.
func (s *Shown) UnmarshalJSON(b []byte) error {
	var value string
	if err := json.Unmarshal(b, &value); err != nil {
		return Errorf(Invalid, "a secret value must be a string") // what json says repeats it
	}
	s.Secret = NewSecret(value)
	return nil
}

// Equal reports whether both hold the same value.
func (s Shown) Equal(o Shown) bool { return s.Reveal() == o.Reveal() }
