package dispatch

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// First lines by which an agent says how it went.
const (
	markSilent  = "[SILENT]"
	markFailure = "[CRON_FAILURE]"
)

// dataOutcome is the key of a data part that says the same as a marker.
const dataOutcome = "molecule/outcome"

// Rules are the parts of the outcome table that an operator may set.
type Rules struct {
	PhantomReplies []string // whole replies that mean the model said nothing
	SeverityLimit  string   // audit severity from which a reply counts as failed; empty: none
}

// Verdict is what became of one attempt.
type Verdict struct {
	Outcome    molecule.Outcome
	Reason     string // at most molecule.MaxReasonRunes
	Reply      string // at most molecule.MaxReplyRunes
	Usage      *molecule.Usage
	Retry      bool          // another attempt may help
	RetryAfter time.Duration // what the agent asked for; 0: our own backoff
}

// Judge is the outcome table: transport, HTTP status, form, JSON-RPC error,
// task state, content, in this order. HTTP 200 is not success.
func Judge(r molecule.Reply, rules Rules) Verdict {
	v := judge(r, rules)
	v.Usage = r.Usage.Meant()
	v.Reason = molecule.Excerpt(v.Reason, molecule.MaxReasonRunes)
	v.Reply = molecule.Excerpt(v.Reply, molecule.MaxReplyRunes)
	return v
}

func judge(r molecule.Reply, rules Rules) Verdict {
	if r.Failure != "" {
		return judgeFailure(r)
	}
	if r.Exit != nil {
		return judgeExit(r, rules)
	}
	if r.HTTPStatus >= http.StatusMultipleChoices {
		return judgeStatus(r)
	}
	if r.RPCError != nil {
		return Verdict{
			Outcome: molecule.OutcomeRPCError, Retry: true,
			Reason: fmt.Sprintf("JSON-RPC error %d: %s", r.RPCError.Code, r.RPCError.Message),
		}
	}
	if r.Task != "" && r.Task != molecule.TaskCompleted {
		return judgeTask(r)
	}
	return judgeContent(r, rules)
}

// failure is the row of the table for a failure that needs no second look.
func failure(f molecule.Failure) (o molecule.Outcome, reason string) {
	switch f {
	case molecule.FailUnsafe:
		return molecule.OutcomeBlocked, "its address is refused"
	case molecule.FailUnreachable:
		return molecule.OutcomeUnreachable, "it could not be reached"
	case molecule.FailBroken:
		return molecule.OutcomeUnknown, "the connection broke after the prompt was sent"
	case molecule.FailLost:
		return molecule.OutcomeUnknown, "the daemon stopped while it ran"
	case molecule.FailShutdown:
		return molecule.OutcomeCanceled, "shutdown"
	case molecule.FailTooLarge:
		return molecule.OutcomeProtocolError, "the reply is too large"
	case molecule.FailNotUTF8:
		return molecule.OutcomeProtocolError, "the reply is not UTF-8"
	case molecule.FailNotJSON:
		return molecule.OutcomeProtocolError, "the reply is not JSON"
	case molecule.FailShape:
		return molecule.OutcomeProtocolError, "the reply is not an answer"
	}
	return molecule.OutcomeUnknown, string(f)
}

func judgeFailure(r molecule.Reply) Verdict {
	switch r.Failure {
	case molecule.FailDeadline:
		return judgeDeadline(r)
	case molecule.FailCanceled:
		return Verdict{Outcome: molecule.OutcomeCanceled, Reason: r.Detail + agreed(r), Reply: molecule.TextOf(r.Parts)}
	}
	o, reason := failure(r.Failure)
	if r.Detail != "" {
		reason += ": " + r.Detail
	}
	return Verdict{Outcome: o, Reason: reason, Retry: o == molecule.OutcomeUnreachable}
}

// judgeDeadline tells an agent that works too long from one that is not there.
func judgeDeadline(r molecule.Reply) Verdict {
	if !r.Answered && !r.CardAnswered {
		return Verdict{Outcome: molecule.OutcomeHung, Reason: cmp.Or(r.Detail, "no reply to the prompt nor to a probe of its card")}
	}
	reason := "the deadline passed" + agreed(r)
	if r.Task.Interrupted() {
		reason = "the deadline passed while it waited for input"
	}
	if said := strings.TrimSpace(r.StatusText); said != "" {
		reason += ": " + said
	}
	return Verdict{Outcome: molecule.OutcomeTimeout, Reason: reason}
}

// agreed says what the agent made of being told to cancel.
func agreed(r molecule.Reply) string {
	switch {
	case r.CancelAccepted == nil:
		return ""
	case *r.CancelAccepted:
		return "; it was told to cancel and agreed"
	default:
		return "; it was told to cancel and did not agree"
	}
}

func judgeExit(r molecule.Reply, rules Rules) Verdict {
	if r.Exit.Code == 0 && r.Exit.Signal == "" {
		return judgeContent(r, rules)
	}
	reason := fmt.Sprintf("exit status %d", r.Exit.Code)
	if r.Exit.Signal != "" {
		reason = "ended by signal " + r.Exit.Signal
	}
	if said := strings.TrimSpace(r.Exit.Stderr); said != "" {
		reason += ": "
		reason += ending(said, max(molecule.MaxReasonRunes-len(reason), 1))
	}
	return Verdict{Outcome: molecule.OutcomeFailed, Reason: reason, Reply: molecule.TextOf(r.Parts)}
}

// ending returns at most n runes of s, the last ones: what a program says last
// is why it ended.
func ending(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return "…" + string(runes[len(runes)-n+1:])
}

func judgeStatus(r molecule.Reply) Verdict {
	v := Verdict{
		Outcome: molecule.OutcomeHTTPError,
		Reason:  strings.TrimSpace(fmt.Sprintf("HTTP %d %s", r.HTTPStatus, http.StatusText(r.HTTPStatus))),
	}
	switch r.HTTPStatus {
	case http.StatusUnauthorized, http.StatusForbidden:
		v.Outcome = molecule.OutcomeAuthRefused
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		v.Retry, v.RetryAfter = true, r.RetryAfter
	}
	if r.RPCError != nil && r.RPCError.Message != "" {
		v.Reason += ": " + r.RPCError.Message
	}
	return v
}

func judgeTask(r molecule.Reply) Verdict {
	v := Verdict{Reason: strings.TrimSpace(r.StatusText), Reply: molecule.TextOf(r.Parts)}
	switch r.Task {
	case molecule.TaskFailed:
		v.Outcome = molecule.OutcomeFailed
	case molecule.TaskRejected:
		v.Outcome = molecule.OutcomeRejected
	case molecule.TaskCanceled:
		v.Outcome = molecule.OutcomeCanceled
	default: // a courier polls until the task is over, so this is no end
		return Verdict{Outcome: molecule.OutcomeProtocolError, Reason: fmt.Sprintf("the task ended in state %q", r.Task)}
	}
	if v.Reason == "" {
		v.Reason = "the agent says no more than " + string(r.Task)
	}
	return v
}

// judgeContent reads what the agent said: a failure it admits first, so that
// nothing else in the reply can hide it, then whether there is anything at all.
func judgeContent(r molecule.Reply, rules Rules) Verdict {
	said := molecule.TextOf(r.Parts)
	first, rest, _ := strings.Cut(strings.TrimSpace(said), "\n")
	mark := strings.TrimRight(first, " \t\r")
	if mark == markFailure {
		reason := strings.TrimSpace(rest)
		if reason == "" {
			reason = "the agent says that it failed"
		}
		return Verdict{Outcome: molecule.OutcomeDeclaredFailure, Reason: reason, Reply: said}
	}
	if severity, severe := tooSevere(r.Parts, rules.SeverityLimit); severe {
		return Verdict{Outcome: molecule.OutcomeDeclaredFailure, Reason: "audit severity " + severity, Reply: said}
	}
	switch {
	case mark == markSilent, quietData(r.Parts):
		return Verdict{Outcome: molecule.OutcomeQuiet, Reply: said}
	case blank(r.Parts):
		return Verdict{Outcome: molecule.OutcomeEmpty, Reason: "completed without saying anything"}
	case phantom(r.Parts, rules.PhantomReplies):
		return Verdict{Outcome: molecule.OutcomeEmpty, Reason: "the reply is a placeholder for none", Reply: said}
	}
	return Verdict{Outcome: molecule.OutcomeOK, Reply: said}
}

// quietData reports whether a data part says that there is nothing to say.
func quietData(parts []molecule.Part) bool {
	return slices.ContainsFunc(parts, func(p molecule.Part) bool {
		return p.Data[dataOutcome] == string(molecule.OutcomeQuiet)
	})
}

// tooSevere returns the first severity of an audit summary at or above limit.
func tooSevere(parts []molecule.Part, limit string) (string, bool) {
	least := rank(limit)
	if least < 0 {
		return "", false
	}
	for _, p := range parts {
		summary, _ := p.Data["audit_summary"].(map[string]any) // absent: no severity
		severity, _ := summary["severity"].(string)            // absent: harmless
		if rank(severity) >= least {
			return severity, true
		}
	}
	return "", false
}

// phantom reports whether the text is one of placeholders, alone or again and
// again: some agents put the same text into the artifact and into the status.
func phantom(parts []molecule.Part, placeholders []string) bool {
	whole := strings.TrimSpace(molecule.TextOf(parts))
	return slices.ContainsFunc(placeholders, func(placeholder string) bool {
		placeholder = strings.TrimSpace(placeholder)
		if placeholder == "" || whole == "" {
			return false
		}
		return whole == placeholder || !slices.ContainsFunc(parts, func(p molecule.Part) bool {
			text := strings.TrimSpace(p.Text)
			return text != "" && text != placeholder
		})
	})
}

// rank orders the severities of an audit summary from harmless to bad; an
// unknown one ranks below all.
func rank(severity string) int {
	return slices.Index([]string{"info", "low", "medium", "high", "critical"}, strings.ToLower(severity))
}

// blank reports whether no part holds anything.
func blank(parts []molecule.Part) bool {
	for _, p := range parts {
		if strings.ContainsFunc(p.Text, visible) || len(p.Data) > 0 || p.File != "" {
			return false
		}
	}
	return true
}

// visible reports whether a reader would see c: no space, no control character
// and none that is there for formatting only.
func visible(c rune) bool { return unicode.IsGraphic(c) && !unicode.IsSpace(c) }

// Backoff returns how long to wait before the next attempt: 1 s, 5 s, 25 s,
// and so on, up to a fifth longer by rnd in [0, 1).
func Backoff(attempt int, rnd float64) time.Duration {
	d := time.Second
	for range min(attempt, 4) - 1 {
		d *= 5
	}
	return d + time.Duration(rnd*float64(d)/5)
}
