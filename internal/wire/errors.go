package wire

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// ErrorBody is the envelope of every error answer.
type ErrorBody struct {
	Error ErrorDetail `json:"error"`
}

// ErrorDetail is what an error answer says.
type ErrorDetail struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// Faults are what is wrong with an import that was refused, and Total how many
	// there are: not all may be listed.
	Faults []molecule.Fault `json:"faults,omitempty"`
	Total  int              `json:"total,omitempty"`
}

// statuses is the one table of error code and HTTP status.
var statuses = map[molecule.Code]int{
	molecule.Internal:        http.StatusInternalServerError,
	molecule.Invalid:         http.StatusBadRequest,
	molecule.UnsafeURL:       http.StatusBadRequest,
	molecule.TooLarge:        http.StatusRequestEntityTooLarge,
	molecule.Unauthenticated: http.StatusUnauthorized,
	molecule.Forbidden:       http.StatusForbidden,
	molecule.NotFound:        http.StatusNotFound,
	molecule.Gone:            http.StatusGone,
	molecule.Conflict:        http.StatusConflict,
	molecule.RateLimited:     http.StatusTooManyRequests,
	molecule.Unavailable:     http.StatusServiceUnavailable,
	molecule.Timeout:         http.StatusGatewayTimeout,
}

// Status returns the HTTP status of a code; 500 for a code nobody listed.
func Status(code molecule.Code) int {
	if s, ok := statuses[code]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// EncodeError returns the envelope for err. An internal error says nothing but
// that; its cause belongs in the log.
func EncodeError(err error) ErrorBody {
	d := ErrorDetail{Code: molecule.CodeOf(err).String(), Hint: molecule.HintOf(err)}
	e, coded := errors.AsType[*molecule.Error](err)
	switch {
	case coded && e.Code != molecule.Internal:
		d.Message = e.Message
	case molecule.CodeOf(err) == molecule.Timeout:
		d.Message = "the request took too long"
	default:
		d.Message = "internal error"
	}
	if f, ok := errors.AsType[*molecule.FaultyImport](err); ok {
		d.Faults, d.Total = f.Faults, f.Total
	}
	return ErrorBody{Error: d}
}

// DecodeError turns an error answer back into the error it was made from. A
// body that is no envelope, such as one of a proxy, becomes an error that
// shows its status.
func DecodeError(status int, body []byte) error {
	var e ErrorBody
	if err := json.Unmarshal(body, &e); err != nil || e.Error.Code == "" {
		return molecule.Errorf(codeOf(status), "the server answered %d %s", status, http.StatusText(status)).
			WithHint("what it said: %s", molecule.Excerpt(string(body), 200))
	}
	code := molecule.Code(e.Error.Code)
	if code == "internal" {
		code = molecule.Internal
	}
	coded := &molecule.Error{Code: code, Message: e.Error.Message, Hint: e.Error.Hint}
	if len(e.Error.Faults) > 0 {
		return &molecule.FaultyImport{Err: coded, Faults: e.Error.Faults, Total: e.Error.Total}
	}
	return coded
}

// codeOf returns the code for a bare status.
func codeOf(status int) molecule.Code {
	for code, s := range statuses {
		if s == status && code != molecule.UnsafeURL {
			return code
		}
	}
	return molecule.Internal
}
