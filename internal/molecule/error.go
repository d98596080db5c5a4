package molecule

import (
	"context"
	"errors"
	"fmt"
)

// Code says what kind of failure an Error is. The zero Code is internal, so
// that forgetting one is loud.
type Code string

// The codes. wire maps each to one HTTP status, cli to one exit status.
const (
	Internal        Code = ""
	Invalid         Code = "invalid"
	UnsafeURL       Code = "unsafe_url"
	TooLarge        Code = "too_large"
	Unauthenticated Code = "unauthenticated"
	Forbidden       Code = "forbidden"
	NotFound        Code = "not_found"
	Gone            Code = "gone" // it was there and is no longer kept
	Conflict        Code = "conflict"
	RateLimited     Code = "rate_limited"
	Unavailable     Code = "unavailable"
	Timeout         Code = "timeout"
)

// String returns the code as it is written on the wire.
func (c Code) String() string {
	if c == Internal {
		return "internal"
	}
	return string(c)
}

// Error is the one error type that crosses a border of the program.
type Error struct {
	Code    Code
	Message string // safe to show to whoever asked
	Hint    string // what to do next; may be empty
	Err     error  // the cause, for the log only
}

// Error returns the message and, behind it, the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// WithHint returns a copy of e that says what to do next.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// WithCause returns a copy of e that carries err for the log.
func (e *Error) WithCause(err error) *Error {
	c := *e
	c.Err = err
	return &c
}

// Errorf makes an Error with a code and a message that is safe to show.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of the first Error in err's chain. An ended context
// is Timeout; anything else without a code is Internal.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Timeout
	}
	return Internal
}

// HintOf returns what the first Error in err's chain says to do next.
func HintOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Hint
	}
	return ""
}
