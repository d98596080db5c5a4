// Package exec is the sink that is a program of the operator's own. It gets one
// JSON object on standard input and answers with one on standard output; nothing
// of a value is on its command line or in its environment, and its standard error
// is not read.
//
// It is asked to probe, which changes nothing, to apply, and to remove:
//
//	{"protocol":1, "op":"probe", "id":"…", "secret":"NAME", "config":"…",
//	 "old":"base64", "new":"base64", "credential":"base64", "marker":"…"}
//	{"holds":"nothing|old|new|other|unknown", "marker":"…", "warning":"…"}
//	{"error":"unreachable|refused|rejected|drift", "message":"…"}
//
// What it says is believed only as far as it can be checked: an answer about a
// value it was not given is none, a probe that finds a random value proves
// nothing, and a change that a probe does not find was not made. Whoever hangs
// or says more than 64 KiB is killed with all it started.
package exec

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

// protocol is the version of what is said to programs.
const protocol = 1

// timeLimit bounds one question.
const timeLimit = 30 * time.Second

// Open makes the sink of a program.
func Open(s sink.Spec) (sink.Sink, error) {
	command := s.Target["command"]
	if !filepath.IsAbs(command) {
		return nil, molecule.Errorf(molecule.Invalid, "%s: the command is no absolute path", s.At()).
			WithHint("write command: /usr/local/libexec/acme/sink; it has no arguments, and gets config")
	}
	return sink.OfCell(s.At(), cell{place: s.At(), secret: s.Secret, command: command, config: s.Target["config"], limit: timeLimit}), nil
}

// cell is a program.
type cell struct {
	place, secret, command, config string
	limit                          time.Duration
}

// request is what a program is told.
type request struct {
	Protocol   int    `json:"protocol"`
	Op         string `json:"op"`
	ID         string `json:"id,omitempty"`
	Secret     string `json:"secret"`
	Config     string `json:"config,omitempty"`
	Old        []byte `json:"old,omitempty"`
	New        []byte `json:"new,omitempty"`
	Credential []byte `json:"credential,omitempty"`
	Marker     string `json:"marker,omitempty"`
}

// answer is what a program says.
type answer struct {
	Holds   sink.Holds `json:"holds"`
	Marker  string     `json:"marker"`
	Warning string     `json:"warning"`
	Error   string     `json:"error"`
	Message string     `json:"message"`
}

// Look has the program probe.
func (e cell) Look(ctx context.Context, c sink.Change) (sink.State, error) {
	a, err := e.ask(ctx, "probe", c)
	if err != nil {
		return sink.State{}, err
	}
	sure := map[sink.Holds]bool{
		sink.HoldsNothing: true, sink.HoldsOther: true, sink.HoldsUnknown: true,
		sink.HoldsOld: !c.Old.IsZero(), sink.HoldsNew: !c.New.IsZero(),
	}
	if !sure[a.Holds] {
		return sink.State{}, e.wrong("it says that it holds %q, which is no answer to what it was asked", sink.Quote(string(a.Holds), c))
	}
	state := sink.State{Holds: a.Holds, Marker: sink.Quote(a.Marker, c), Warning: sink.Quote(a.Warning, c)}
	if state.Holds == sink.HoldsUnknown {
		state.Holds = c.CompareMarker(state.Marker)
	}
	return state, nil
}

// Put has the program apply.
func (e cell) Put(ctx context.Context, c sink.Change, _ sink.State) error {
	_, err := e.ask(ctx, "apply", c)
	return err
}

// Clear has the program remove what it holds.
func (e cell) Clear(ctx context.Context, c sink.Change, _ sink.State) error {
	_, err := e.ask(ctx, "remove", c)
	return err
}

func (e cell) wrong(format string, args ...any) *molecule.Error {
	return molecule.Errorf(molecule.Forbidden, "%s: %s", e.place, fmt.Sprintf(format, args...)).
		WithHint("try the program by hand: it reads one JSON object and prints one")
}

// ask asks the program one thing.
func (e cell) ask(ctx context.Context, op string, c sink.Change) (answer, error) {
	if err := e.trusted(); err != nil {
		return answer{}, err
	}
	body, err := json.Marshal(request{
		Protocol: protocol, Op: op, ID: c.ID, Secret: e.secret, Config: e.config, Marker: c.Marker,
		Old: []byte(c.Old.Reveal()), New: []byte(c.New.Reveal()), Credential: []byte(c.Credential.Reveal()),
	})
	if err != nil {
		return answer{}, fmt.Errorf("%s: write what it is asked: %w", e.place, err)
	}
	said, err := run(ctx, e.command, body, e.limit)
	if err != nil {
		return answer{}, e.failed(ctx, err)
	}
	var a answer
	if err := json.Unmarshal(said, &a); err != nil {
		return answer{}, e.wrong("it did not answer with one JSON object")
	}
	return a, e.said(a, c)
}

// said turns an error that the program tells into ours.
func (e cell) said(a answer, c sink.Change) error {
	message := sink.Quote(a.Message, c)
	switch a.Error {
	case "":
		return nil
	case "unreachable":
		return sink.Unreachable(e.place, fmt.Errorf("it says: %s", message))
	case "rejected":
		return sink.Rejected("%s rejects the value: %s", e.place, message)
	case "drift":
		return sink.Drift(e.place)
	}
	return e.wrong("it refuses: %s", message)
}

// trusted refuses a program that somebody else could have written.
func (e cell) trusted() error {
	info, err := os.Stat(e.command)
	if err != nil {
		return molecule.Errorf(molecule.NotFound, "%s: the program cannot be started", e.place).WithHint("ls -l %s", e.command).WithCause(err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	owned := ok && (stat.Uid == 0 || int(stat.Uid) == os.Geteuid())
	const groupOrOthersWrite, execute = 0o022, 0o111
	switch mode := info.Mode(); {
	case !mode.IsRegular() || mode&execute == 0:
		return molecule.Errorf(molecule.NotFound, "%s: it is no program", e.place).WithHint("chmod +x %s", e.command)
	case !owned || mode&groupOrOthersWrite != 0:
		return molecule.Errorf(molecule.Forbidden, "%s: others than root and the daemon could have written the program", e.place).
			WithHint("chown root %s; chmod go-w %s", e.command, e.command)
	}
	return nil
}
