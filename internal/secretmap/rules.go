package secretmap

import "github.com/molecule-ai/molecli/internal/textfile"

// Rule is something that lint looks for.
type Rule struct {
	ID    string
	About string
	// Breaks is whether a map with it cannot be applied; the others are advice.
	Breaks bool
}

// The rules.
const (
	RuleUnreadable   = "unreadable"
	RuleValue        = "value"
	RuleNotValid     = "not-valid"
	RuleSameName     = "same-name"
	RuleUnknown      = "unknown-secret"
	RuleTemplate     = "template"
	RuleCycle        = "cycle"
	RuleClassNeeds   = "class-needs"
	RuleWindow       = "window"
	RuleUserName     = "user-name"
	RuleOrder        = "order"
	RuleSelfFirst    = "self-first"
	RuleURL          = "url-encoding"
	RuleDanger       = "danger"
	RuleUnproven     = "unproven"
	RuleControl      = "control"
	RuleNeverRevoked = "never-revoked"
	RuleRotation     = "rotation"
	RuleOwner        = "owner"
	RuleSamePlace    = "same-place"
	RuleExposed      = "exposed"
	RuleEmpty        = "empty"
	RuleEvidence     = "evidence"
	RulePath         = "path"
)

// Rules lists them.
func Rules() []Rule {
	return []Rule{
		{RuleUnreadable, "a key there is not, or a value that its key cannot have", true},
		{RuleValue, "a value of a secret, which has no place in a map", true},
		{RuleNotValid, "a class, overlap, policy, sink, probe, danger or generator there is not, or one that lacks what it needs", true},
		{RuleSameName, "two secrets of one name", true},
		{RuleUnknown, "a reference to a secret that is not in the map", true},
		{RuleTemplate, "a template that cannot be read, or holds what means nothing in it", true},
		{RuleCycle, "secrets that are made of each other", true},
		{RuleClassNeeds, "a class without what it is made by: a template, a generator, a literal, a precondition, a rewrap", true},
		{RuleWindow, "a window without its length, a length without a window, or a grace that is longer", true},
		{RuleUserName, "a user name that is not the literal it has to be, or that the Fly registry does not take", false},
		{RuleOrder, "two sinks with one place in the order", false},
		{RuleSelfFirst, "a sink that is opened by its own secret and is not the first to be written", false},
		{RuleURL, "a value inside a URL that is not written for one", false},
		{RuleDanger, "what follows from the map is dangerous, and no danger says so", false},
		{RuleUnproven, "a value that nobody proves", false},
		{RuleControl, "a probe that passes with any value", false},
		{RuleNeverRevoked, "an old value that nobody ends", false},
		{RuleRotation, "no schedule and no policy, both, or one that the class cannot have", false},
		{RuleOwner, "a secret without an owner", false},
		{RuleSamePlace, "two copies in one place", false},
		{RuleExposed, "a value in a URL, on a command line or on a connection that is not encrypted", false},
		{RuleEmpty, "an empty value where nobody would notice", false},
		{RuleEvidence, "a danger that says nothing of where it is known from", false},
		{RulePath, "a path that depends on where the daemon was started", false},
	}
}

// Finding is one thing that is wrong.
type Finding struct {
	Rule    string `json:"rule"`
	Secret  string `json:"secret,omitempty"`
	Field   string `json:"field,omitempty"` // such as sinks[1].target
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Line    int    `json:"line,omitempty"` // of a file, from 1
	Column  int    `json:"column,omitempty"`

	entry int // which of the entries of the map
	width int // of the part of the line
}

// put says where it is.
func (f *Finding) put(p textfile.Place) { f.Line, f.Column, f.width = p.Line, p.Column, p.Width }

// Breaks reports whether a map with it cannot be applied.
func (f Finding) Breaks() bool {
	for _, r := range Rules() {
		if r.ID == f.Rule {
			return r.Breaks
		}
	}
	return true
}
