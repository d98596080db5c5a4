package molecule

import "time"

// SecretOverlap says how long the old value of a secret works once there is a
// new one.
type SecretOverlap string

// The overlaps.
const (
	OverlapDual           SecretOverlap = "dual"            // both work until the old one is revoked
	OverlapAlternating    SecretOverlap = "alternating"     // two holders take turns, such as two roles
	OverlapWindow         SecretOverlap = "window"          // both work, for a time the provider sets
	OverlapSingleSettable SecretOverlap = "single_settable" // one works; the old one can be set again
	OverlapSingleMinted   SecretOverlap = "single_minted"   // making the new one kills the old one
)

// SecretOverlaps lists the overlaps.
func SecretOverlaps() []SecretOverlap {
	return []SecretOverlap{OverlapDual, OverlapAlternating, OverlapWindow, OverlapSingleSettable, OverlapSingleMinted}
}

// RotatePolicy says when a secret is changed that is not changed by the
// calendar.
type RotatePolicy string

// The policies.
const (
	RotateOnIncident RotatePolicy = "on_incident" // when it may have leaked
	RotateNever      RotatePolicy = "never"
	RotateAuto       RotatePolicy = "auto" // the platform does it
)

// RotatePolicies lists the policies.
func RotatePolicies() []RotatePolicy {
	return []RotatePolicy{RotateOnIncident, RotateNever, RotateAuto}
}

// SecretMap says which secrets there are, where their copies live, and how each
// is changed. It holds no value of any, except of literals, which are none.
type SecretMap struct {
	Secrets []MappedSecret `json:"secrets"`
}

// MappedSecret is a secret as the map has it.
type MappedSecret struct {
	Name    string        `json:"name"` // its case is kept
	About   string        `json:"about,omitempty"`
	Owner   string        `json:"owner,omitempty"`
	Class   SecretClass   `json:"class"`
	Overlap SecretOverlap `json:"overlap,omitempty"` // zero: dual
	Window  Lifetime      `json:"window,omitempty"`  // of OverlapWindow: how long the old value lives
	Sinks   []SinkSpec    `json:"sinks"`

	RotateEvery Lifetime     `json:"rotate_every,omitempty"`
	Policy      RotatePolicy `json:"policy,omitempty"` // when RotateEvery is zero
	Grace       Lifetime     `json:"grace,omitempty"`  // between promotion and revoking

	Dangers      []Danger   `json:"danger,omitempty"`
	Mint         *Probe     `json:"mint,omitempty"`         // makes a new value; nil: it is pasted
	Verify       *Probe     `json:"verify,omitempty"`       // nil: read back
	Revoke       *Probe     `json:"revoke,omitempty"`       // nil: by hand
	Precondition *Probe     `json:"precondition,omitempty"` // of SecretConfig
	Rewrap       *Probe     `json:"rewrap,omitempty"`       // of SecretRoot: wraps anew what is under it, and counts
	Generator    *Generator `json:"generator,omitempty"`    // of SecretGenerated
	Template     string     `json:"template,omitempty"`     // of SecretDerived
	Literal      string     `json:"literal,omitempty"`      // of SecretLiteral: the exact value
	// User names the literal that is the user name beside this one as the
	// password.
	User string `json:"user,omitempty"`
	// MayBeEmpty is false where an empty value is a mistake, which is nearly
	// everywhere.
	MayBeEmpty bool `json:"may_be_empty,omitempty"`
	// Parts are secrets of which only this one is made. Their names stand beside
	// all others; see [SecretMap.All].
	Parts []MappedSecret `json:"parts,omitempty"`
	// PartOf is the secret among whose Parts this one is. It is set by All.
	PartOf string `json:"-"`
}

// SinkSpec is a place where a copy lives.
type SinkSpec struct {
	Kind   string            `json:"kind"`
	Target map[string]string `json:"target"` // what the kind asks for; see [SinkKinds]
	// Order is when it is written, from 1; zero: as it stands in the list.
	Order      int        `json:"order,omitempty"`
	Template   string     `json:"template,omitempty"` // of what is written; zero: the value as it is
	Activation Activation `json:"activation,omitempty"`
	// Credential names the secret that opens the sink for writing; one that names
	// its own secret is written with the old value and verified with the new.
	Credential string `json:"credential,omitempty"`
}

// Activation says when a copy that was written is in use.
type Activation string

// The activations.
const (
	ActivationImmediate Activation = "immediate"   // as soon as it is written
	ActivationOnDeploy  Activation = "on_deploy"   // with the next release
	ActivationOnNextRun Activation = "on_next_run" // when the next job begins
	ActivationOnRestart Activation = "on_restart"  // when whoever reads it starts again
	ActivationOnAck     Activation = "on_ack"      // when the holder says so
)

// Activations lists the activations.
func Activations() []Activation {
	return []Activation{ActivationImmediate, ActivationOnDeploy, ActivationOnNextRun, ActivationOnRestart, ActivationOnAck}
}

// Danger is what went wrong with a secret once, or would.
type Danger struct {
	Rule     string `json:"rule"` // see [DangerRules]
	Text     string `json:"text"`
	Evidence string `json:"evidence,omitempty"` // where it is known from
}

// ProbeKind says how a probe asks.
type ProbeKind string

// The kinds of probes.
const (
	ProbeHTTP ProbeKind = "http" // one request, judged by its status
	ProbeExec ProbeKind = "exec" // one command, judged by its exit status; the value comes on standard input
	ProbeSink ProbeKind = "sink" // the sinks are asked what they hold
	ProbeNone ProbeKind = "none" // a person does it, as Text says
)

// ProbeKinds lists the kinds.
func ProbeKinds() []ProbeKind { return []ProbeKind{ProbeHTTP, ProbeExec, ProbeSink, ProbeNone} }

// Probe is one question about a value or one thing done with it. Texts of it may
// hold ${value}, ${NAME} for another secret, and in Undo ${answer.FIELD} for a
// field of the JSON that was answered.
type Probe struct {
	Kind ProbeKind `json:"kind"`
	Text string    `json:"text,omitempty"` // what a person does, or reads about it

	Method  string            `json:"method,omitempty"` // zero: GET
	URL     string            `json:"url,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	Alive   []int             `json:"alive,omitempty"` // statuses that only a living value gets
	Dead    []int             `json:"dead,omitempty"`  // statuses that a dead value gets, and so does a control

	Command []string `json:"command,omitempty"`
	Timeout Duration `json:"timeout,omitempty"` // zero: [DefaultProbeTimeout]
	// Undo takes back what the probe made, such as a key made to see that it can be.
	Undo *Probe `json:"undo,omitempty"`
}

// DefaultProbeTimeout bounds a probe that says nothing else.
const DefaultProbeTimeout = 15 * time.Second

// Generator says how a value is made here.
type Generator struct {
	Kind   GeneratorKind `json:"kind"`
	Length int           `json:"length,omitempty"` // characters, words or bytes, as the kind counts; zero: enough
}

// GeneratorKind is what is made.
type GeneratorKind string

// The kinds of values that are made here.
const (
	GeneratePassword   GeneratorKind = "password"
	GeneratePassphrase GeneratorKind = "passphrase"
	GenerateHex        GeneratorKind = "hex"
	GenerateBase64URL  GeneratorKind = "base64url"
	GenerateUUID       GeneratorKind = "uuid"
	GenerateEd25519    GeneratorKind = "ed25519"
	GenerateAge        GeneratorKind = "age"
)

// GeneratorKinds lists the kinds.
func GeneratorKinds() []GeneratorKind {
	return []GeneratorKind{GeneratePassword, GeneratePassphrase, GenerateHex, GenerateBase64URL, GenerateUUID, GenerateEd25519, GenerateAge}
}

// All returns every secret, parts before what is made of them, each with the
// overlap and the orders that hold when nothing is said.
func (m SecretMap) All() []MappedSecret {
	var all []MappedSecret
	for _, s := range m.Secrets {
		for _, p := range s.Parts {
			p.PartOf = s.Name
			all = append(all, p.Effective())
		}
		all = append(all, s.Effective())
	}
	return all
}

// Secret returns the secret of a name, also when it is a part of another.
func (m SecretMap) Secret(name string) (MappedSecret, bool) {
	for _, s := range m.All() {
		if s.Name == name {
			return s, true
		}
	}
	return MappedSecret{}, false
}
