package wire

import "github.com/molecule-ai/molecli/internal/molecule"

// The exit statuses of both binaries.
const (
	ExitOK          = 0
	ExitFailure     = 1
	ExitUsage       = 2
	ExitNotFound    = 3
	ExitForbidden   = 4
	ExitConflict    = 5
	ExitUnreachable = 6
	ExitTimeout     = 7
	ExitPartial     = 8
	ExitStale       = 10
	ExitDead        = 11
	ExitSecret      = 12
	ExitDiff        = 13
	ExitInterrupted = 130
)

// ExitMeaning is one row of the table of exit statuses.
type ExitMeaning struct {
	Status  int    `json:"status"`
	Meaning string `json:"meaning"`
}

// Exits returns the one table of exit statuses, in order.
func Exits() []ExitMeaning {
	return []ExitMeaning{
		{ExitOK, "ok"},
		{ExitFailure, "failure"},
		{ExitUsage, "usage: the command line, a setting or the input is not valid"},
		{ExitNotFound, "not found, or no longer kept"},
		{ExitForbidden, "not allowed"},
		{ExitConflict, "conflict: the name is in use, or something depends on it"},
		{ExitUnreachable, "daemon unreachable"},
		{ExitTimeout, "timed out"},
		{ExitPartial, "partial: some of it was done, some was not"},
		{ExitStale, "liveness: a subsystem is stale, stuck or in backoff, or an optional one failed"},
		{ExitDead, "liveness: a critical subsystem failed"},
		{ExitSecret, "a secret is overdue, or its copies differ"},
		{ExitDiff, "a difference was found"},
		{ExitInterrupted, "interrupted"},
	}
}

// ExitOf returns the exit status of an error code. That nobody answered at all
// has no code of its own: the client tells it apart.
func ExitOf(code molecule.Code) int {
	switch code {
	case molecule.Invalid, molecule.UnsafeURL, molecule.TooLarge:
		return ExitUsage
	case molecule.NotFound, molecule.Gone:
		return ExitNotFound
	case molecule.Unauthenticated, molecule.Forbidden:
		return ExitForbidden
	case molecule.Conflict:
		return ExitConflict
	case molecule.Timeout:
		return ExitTimeout
	}
	return ExitFailure
}

// ExitOfOutcome returns the exit status of a command that waited for a run.
func ExitOfOutcome(o molecule.Outcome) int {
	switch {
	case o.Good():
		return ExitOK
	case o == molecule.OutcomeTimeout:
		return ExitTimeout
	case o == molecule.OutcomeBlocked:
		return ExitForbidden
	}
	return ExitFailure
}
