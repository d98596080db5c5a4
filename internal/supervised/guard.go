package supervised

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// PanicError is a panic that was turned into an error.
type PanicError struct {
	Value any    // what was given to panic
	Stack []byte // of the goroutine, where it happened
}

// Error says what the panic said.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the value when it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Guard runs fn and returns its error; a panic in it becomes a [*PanicError].
// Use it around one row or one item, so that a bad one costs only itself.
func Guard(fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return fn()
}

// panicStack returns the stack of the panic behind err, if there is one.
func panicStack(err error) string {
	if p, ok := errors.AsType[*PanicError](err); ok {
		return string(p.Stack)
	}
	return ""
}
