package wire_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

func TestErrors_arriveAsTheyWereSent(t *testing.T) {
	t.Parallel()
	secret := errors.New("dial tcp 10.0.0.7: secret")
	tests := []struct {
		name   string
		sent   error
		status int
		exit   int
		want   molecule.Error
	}{
		{"invalid", molecule.Errorf(molecule.Invalid, "bad name").WithHint("try another"), 400, wire.ExitUsage,
			molecule.Error{Code: molecule.Invalid, Message: "bad name", Hint: "try another"}},
		{"an address that is refused", molecule.Errorf(molecule.UnsafeURL, "refused"), 400, wire.ExitUsage,
			molecule.Error{Code: molecule.UnsafeURL, Message: "refused"}},
		{"too large", molecule.Errorf(molecule.TooLarge, "large"), 413, wire.ExitUsage, molecule.Error{Code: molecule.TooLarge, Message: "large"}},
		{"nobody", molecule.Errorf(molecule.Unauthenticated, "who?"), 401, wire.ExitForbidden,
			molecule.Error{Code: molecule.Unauthenticated, Message: "who?"}},
		{"forbidden", molecule.Errorf(molecule.Forbidden, "no"), 403, wire.ExitForbidden, molecule.Error{Code: molecule.Forbidden, Message: "no"}},
		{"not found", molecule.Errorf(molecule.NotFound, "none"), 404, wire.ExitNotFound, molecule.Error{Code: molecule.NotFound, Message: "none"}},
		{"no longer kept", molecule.Errorf(molecule.Gone, "pruned"), 410, wire.ExitNotFound, molecule.Error{Code: molecule.Gone, Message: "pruned"}},
		{"conflict", fmt.Errorf("create: %w", molecule.Errorf(molecule.Conflict, "taken")), 409, wire.ExitConflict,
			molecule.Error{Code: molecule.Conflict, Message: "taken"}},
		{"too often", molecule.Errorf(molecule.RateLimited, "slowly"), 429, wire.ExitFailure,
			molecule.Error{Code: molecule.RateLimited, Message: "slowly"}},
		{"unavailable", molecule.Errorf(molecule.Unavailable, "later").WithCause(secret), 503, wire.ExitFailure,
			molecule.Error{Code: molecule.Unavailable, Message: "later"}},
		{"timeout", molecule.Errorf(molecule.Timeout, "too long"), 504, wire.ExitTimeout, molecule.Error{Code: molecule.Timeout, Message: "too long"}},
		{"an ended context", fmt.Errorf("read: %w", context.DeadlineExceeded), 504, wire.ExitTimeout,
			molecule.Error{Code: molecule.Timeout, Message: "the request took too long"}},
		{"internal", molecule.Errorf(molecule.Internal, "a detail").WithCause(secret), 500, wire.ExitFailure,
			molecule.Error{Code: molecule.Internal, Message: "internal error"}},
		{"without a code", secret, 500, wire.ExitFailure, molecule.Error{Code: molecule.Internal, Message: "internal error"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := wire.Status(molecule.CodeOf(tt.sent)); got != tt.status {
				t.Errorf("status %d, want %d", got, tt.status)
			}
			body, err := json.Marshal(wire.EncodeError(tt.sent))
			if err != nil || strings.Contains(string(body), "secret") {
				t.Fatalf("the envelope is %s, %v", body, err)
			}
			got, ok := errors.AsType[*molecule.Error](wire.DecodeError(tt.status, body))
			if !ok {
				t.Fatalf("%s is no error of ours", body)
			}
			if diff := cmp.Diff(*got, tt.want); diff != "" {
				t.Errorf("arrived (-got +want):\n%s", diff)
			}
			if exit := wire.ExitOf(got.Code); exit != tt.exit {
				t.Errorf("exit status %d, want %d", exit, tt.exit)
			}
		})
	}
}

func TestDecodeError_showsWhatAProxySaid(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]molecule.Code{
		400: molecule.Invalid, 404: molecule.NotFound, 410: molecule.Gone, 502: molecule.Internal, 503: molecule.Unavailable, 418: molecule.Internal,
	} {
		for _, body := range []string{"<html>bad gateway</html>", `{"error":"text"}`, `{}`, ""} {
			err := wire.DecodeError(status, []byte(body))
			if molecule.CodeOf(err) != want || !strings.Contains(err.Error(), fmt.Sprint(status)) || !strings.Contains(molecule.HintOf(err), body) {
				t.Errorf("%d %q: %v (%v)", status, body, err, molecule.HintOf(err))
			}
		}
	}
}

func TestExits_areListedOnceAndInOrder(t *testing.T) {
	t.Parallel()
	last := -1
	for _, e := range wire.Exits() {
		if e.Status <= last || e.Meaning == "" {
			t.Errorf("%+v comes behind %d", e, last)
		}
		last = e.Status
	}
	for o, want := range map[molecule.Outcome]int{
		molecule.OutcomeOK: wire.ExitOK, molecule.OutcomeQuiet: wire.ExitOK, molecule.OutcomeEmpty: wire.ExitFailure,
		molecule.OutcomeTimeout: wire.ExitTimeout, molecule.OutcomeBlocked: wire.ExitForbidden, molecule.OutcomeUnknown: wire.ExitFailure,
	} {
		if got := wire.ExitOfOutcome(o); got != want {
			t.Errorf("a run that ended %s exits %d, want %d", o, got, want)
		}
	}
}

func TestHeaders_areSpeltAsHTTPSpellsThem(t *testing.T) {
	t.Parallel()
	for _, name := range []string{wire.HeaderOrgID, wire.HeaderFlyReplay, wire.HeaderRequestID, wire.HeaderInstance, wire.HeaderLastEventID} {
		if got := http.CanonicalHeaderKey(name); got != name {
			t.Errorf("%s is looked up as %s", name, got)
		}
	}
	if err := wire.DecodeError(http.StatusNotFound, []byte(wire.NotFoundBody)); molecule.CodeOf(err) != molecule.NotFound {
		t.Errorf("the ordinary 404 reads as %v", err)
	}
}
