package molecule

import (
	"context"
	"time"
)

// RotationState says how far the change of a secret has come.
type RotationState string

// The states of a rotation.
const (
	RotationPlanned     RotationState = "planned"      // recorded; nothing was touched
	RotationMinting     RotationState = "minting"      // a value is made
	RotationApplying    RotationState = "applying"     // copies are written, one behind the other
	RotationVerifying   RotationState = "verifying"    // each copy is asked, with a control
	RotationPromoted    RotationState = "promoted"     // the new value is the one in use
	RotationGrace       RotationState = "grace"        // both work, for who still has the old one
	RotationRevoking    RotationState = "revoking"     // the old one is ended
	RotationDone        RotationState = "done"         //
	RotationRollingBack RotationState = "rolling_back" // copies are put back, the last first
	RotationRolledBack  RotationState = "rolled_back"  //
	RotationHeld        RotationState = "held"         // it waits for a person
	RotationAbandoned   RotationState = "abandoned"    // a person took it over
)

// RotationStates lists the states.
func RotationStates() []RotationState {
	return []RotationState{
		RotationPlanned, RotationMinting, RotationApplying, RotationVerifying, RotationPromoted, RotationGrace,
		RotationRevoking, RotationDone, RotationRollingBack, RotationRolledBack, RotationHeld, RotationAbandoned,
	}
}

// Over reports whether nothing follows any more.
func (s RotationState) Over() bool {
	return s == RotationDone || s == RotationRolledBack || s == RotationAbandoned
}

// StepState says how far one copy has come.
type StepState string

// The states of a step.
const (
	StepPending  StepState = "pending"  // not touched
	StepIntent   StepState = "intent"   // it is about to be written, or was
	StepApplied  StepState = "applied"  // written
	StepVerified StepState = "verified" // asked, and right
	StepUnproved StepState = "unproved" // written where nobody is shown what is held
	StepUndoing  StepState = "undoing"  // it is about to be put back, or was
	StepUndone   StepState = "undone"   // it holds again what it held
	StepRevoking StepState = "revoking" // its old value is about to be ended, or was
	StepRevoked  StepState = "revoked"  // only the new value works
)

// RotationStep is one copy of a rotation.
type RotationStep struct {
	N          int        `json:"n"` // from 1, in the order they are written
	Secret     string     `json:"secret"`
	Place      string     `json:"place"`
	Activation Activation `json:"activation"`
	State      StepState  `json:"state"`
	Holds      string     `json:"holds,omitempty"` // what it answered last
	Warning    string     `json:"warning,omitempty"`

	Spec   SinkSpec `json:"-"`
	Value  string   `json:"-"` // template of the secret whose copy it is; empty: the rotated value itself
	Marker string   `json:"-"` // of the sink, behind our last write
}

// RotationFault is why a rotation went no further.
type RotationFault struct {
	Place   string `json:"place,omitempty"` // of the copy; empty: no copy's
	Trouble string `json:"trouble"`         // transient, refused, rejected, drift, wrong, invalid, store
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Rotation is one change of a secret in all the places that hold it.
type Rotation struct {
	ID      string        `json:"id"`
	Secret  string        `json:"secret"`
	State   RotationState `json:"state"`
	From    RotationState `json:"from,omitempty"` // of one that is held: where it goes on
	Overlap SecretOverlap `json:"overlap"`
	Version int           `json:"version"` // the new one
	Old     int           `json:"old"`     // the one it replaces; 0: none
	Attempt int           `json:"attempt"` // the second, when the first value could not be held
	Hold    bool          `json:"hold,omitempty"`
	By      string        `json:"by"`
	// Fingerprint is that of the new version.
	Fingerprint string         `json:"fingerprint"`
	Steps       []RotationStep `json:"steps"`
	Fault       *RotationFault `json:"fault,omitempty"`
	// ByHand says what is left to a person.
	ByHand []string `json:"by_hand,omitempty"`
	// Next is the command that moves it on, or looks at it.
	Next string `json:"next,omitempty"`

	StartedAt  time.Time `json:"started_at"`
	UpdatedAt  time.Time `json:"updated_at"`
	PromotedAt time.Time `json:"promoted_at,omitzero"`
	DueAt      time.Time `json:"due_at,omitzero"` // when it goes on by itself
	EndedAt    time.Time `json:"ended_at,omitzero"`

	SecretID string       `json:"-"`
	Group    string       `json:"-"` // of secrets of which one is changed at a time
	Epoch    int64        `json:"-"` // of whoever drives it
	Entry    MappedSecret `json:"-"` // as the map had it when it began
}

// Settled reports whether whoever waits for it can be told: it was promoted, it
// is over, or it waits for a person.
func (r Rotation) Settled() bool {
	return r.State.Over() || r.State == RotationHeld || !r.PromotedAt.IsZero()
}

// Returnable reports whether the old value can still be brought back: it was not
// replaced yet, and did not die when the new one was made.
func (r Rotation) Returnable() bool {
	return r.PromotedAt.IsZero() && r.Overlap != OverlapSingleMinted
}

// NextCommand is the one command that moves r on; where r goes on by itself, or
// is over, the one that shows it.
func (r Rotation) NextCommand() string {
	switch r.State {
	case RotationHeld:
		return "molecli secrets rotate " + r.Secret + " --resume " + r.ID
	case RotationRolledBack, RotationAbandoned:
		return "molecli secrets rotate " + r.Secret + " --plan"
	}
	return "molecli secrets rotations " + r.ID
}

// NewRotation asks for a change of a secret.
type NewRotation struct {
	Secret string `json:"-"`
	Value  Shown  `json:"value"` // base64; zero: it is generated
	Hold   bool   `json:"hold,omitempty"`
}

// RotationPlan says what a rotation would do.
type RotationPlan struct {
	Secret  string        `json:"secret"`
	Class   SecretClass   `json:"class"`
	Overlap SecretOverlap `json:"overlap"`
	Old     string        `json:"old,omitempty"` // fingerprint of the version in use
	Steps   []PlannedStep `json:"steps"`
	// NoReturn is behind which step there is no way back but another rotation.
	NoReturn int      `json:"no_return"`
	Warnings []string `json:"warnings,omitempty"`
	// Ready is whether every copy could be written now.
	Ready bool `json:"ready"`
}

// PlannedStep is one thing that a rotation would do.
type PlannedStep struct {
	N     int    `json:"n"`
	Do    string `json:"do"` // make, write, verify, promote, wait, revoke
	Place string `json:"place,omitempty"`
	Text  string `json:"text"`
	Holds string `json:"holds,omitempty"` // what the place answered now
	Fault string `json:"fault,omitempty"` // why it could not be written
}

// JournalRow is one line of what a rotation did.
type JournalRow struct {
	ID    int64         `json:"id"`
	At    time.Time     `json:"at"`
	Epoch int64         `json:"epoch"`
	State RotationState `json:"state"`
	Step  int           `json:"step,omitempty"`
	Text  string        `json:"text"`
}

// SecretCopy is what one place answered about a secret.
type SecretCopy struct {
	Secret      string `json:"secret"`
	Place       string `json:"place"`
	Holds       string `json:"holds"`                 // current, nothing, other, unknown, unreachable
	Fingerprint string `json:"fingerprint,omitempty"` // of what it holds; unknown when it shows nothing
	Message     string `json:"message,omitempty"`
}

// RotationService changes secrets where they live. Errors are as in
// [AgentService]; a ref is an id or a unique prefix of one.
type RotationService interface {
	// ApplySecretMap replaces the map; one that cannot be used is Invalid.
	ApplySecretMap(ctx context.Context, m SecretMap) error
	SecretMap(ctx context.Context) (SecretMap, error)
	// SecretCopies asks the places of a secret, or of all for "", what they hold.
	SecretCopies(ctx context.Context, secret string) ([]SecretCopy, error)
	// PlanRotation says what Rotate would do, and does nothing.
	PlanRotation(ctx context.Context, secret string) (RotationPlan, error)
	// Rotate begins a rotation and waits until it is settled, or ctx ends; it
	// goes on then. A secret of which one is under way, or that may not be
	// rotated, is a Conflict.
	Rotate(ctx context.Context, in NewRotation) (Rotation, error)
	Rotation(ctx context.Context, ref string) (Rotation, error)
	// Rotations returns those that are not over, or the newest of all.
	Rotations(ctx context.Context, everything bool) ([]Rotation, error)
	RotationJournal(ctx context.Context, ref string) ([]JournalRow, error)
	// ResumeRotation goes on with one that is held. RollBackRotation puts back
	// what it wrote; behind the pivot it is a Conflict. AbandonRotation leaves a
	// held one to a person, every place as it is.
	ResumeRotation(ctx context.Context, ref string) (Rotation, error)
	RollBackRotation(ctx context.Context, ref string) (Rotation, error)
	AbandonRotation(ctx context.Context, ref string) (Rotation, error)
}
