package platform

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// Bounds of bodies.
const (
	maxBody  = 64 << 10
	maxLarge = 1 << 20 // of a2a and activity
)

// refused is an error whose answer is more than its text, or has a status of its
// own.
type refused struct {
	status int
	body   any // nil: the usual one
	err    *molecule.Error
}

func (r refused) Error() string { return r.err.Error() }
func (r refused) Unwrap() error { return r.err }

// refuse makes an error of a status. To the log it is a mistake of whoever asked.
func refuse(status int, format string, args ...any) refused {
	return refused{status: status, err: molecule.Errorf(molecule.Conflict, format, args...)}
}

// writeError answers err.
func writeError(w http.ResponseWriter, err error) {
	code := molecule.CodeOf(err)
	status, text := wire.Status(code), wire.EncodeError(err).Error.Message
	body := any(struct {
		Error string `json:"error"`
	}{text})
	if r, ok := errors.AsType[refused](err); ok {
		status = r.status
		if r.body != nil {
			body = r.body
		}
	}
	// Clients in the field take any 4xx for final, and this one passes.
	if status == http.StatusTooManyRequests || code == molecule.Unavailable {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	_ = write(w, status, body) // what we made ourselves encodes
}

// write answers v as compact JSON.
func write(w http.ResponseWriter, status int, v any) error {
	body, err := compact(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", wire.TypeJSON)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the reader may be gone
	return nil
}

// compact returns v as JSON without blanks, with text as it was written.
func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// read reads a body of at most limit bytes as one JSON object into v. Members
// that nobody here knows are left alone.
func read(w http.ResponseWriter, c call, limit int64, v any) error {
	raw, err := slurp(w, c, limit)
	if err != nil {
		return err
	}
	return parse(raw, v)
}

// slurp returns a body of at most limit bytes.
func slurp(w http.ResponseWriter, c call, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, c.Body, limit))
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, molecule.Errorf(molecule.TooLarge, "the request body is over %d bytes", e.Limit)
	}
	if err != nil {
		return nil, molecule.Errorf(molecule.Invalid, "the request body ended early").WithCause(err)
	}
	return raw, nil
}

// parse reads one JSON object.
func parse(raw []byte, v any) error {
	if trimmed := bytes.TrimSpace(raw); len(trimmed) == 0 || trimmed[0] != '{' {
		return molecule.Errorf(molecule.Invalid, "the request body must be a JSON object")
	}
	err := json.Unmarshal(raw, v)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return molecule.Errorf(molecule.Invalid, "%s must be %s, not a %s", e.Field, kindOf(e.Type.String()), e.Value)
	}
	if e, ok := errors.AsType[*molecule.Error](err); ok {
		return e
	}
	if err != nil {
		return molecule.Errorf(molecule.Invalid, "the request body is not JSON: %s", err)
	}
	return nil
}

// kindOf says in words what a Go type takes.
func kindOf(goType string) string {
	switch {
	case strings.HasSuffix(goType, "number"):
		return "a number"
	case strings.Contains(goType, "string"):
		return "a text"
	case strings.Contains(goType, "map"), strings.Contains(goType, "struct"), strings.HasPrefix(goType, "platform."):
		return "an object"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	case goType == "bool":
		return "true or false"
	}
	return "a number"
}

// number reads a number, whole or not; some clients send seconds with a fraction
// where others send none.
type number float64

// whole returns n without its fraction, within what an int64 holds.
func (n number) whole() int64 { return int64(min(max(float64(n), -1<<53), 1<<53)) }
