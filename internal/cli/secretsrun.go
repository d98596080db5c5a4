package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// handed is a secret and the variable by which a command gets it.
type handed struct {
	secret, variable string
	inFile           bool // the variable says where it is
}

// parseHanded reads NAME or NAME=VARIABLE.
func parseHanded(text string, inFile bool) (handed, error) {
	name, variable, found := strings.Cut(text, "=")
	if !found {
		variable = name
		if inFile {
			variable += "_FILE"
		}
	}
	if err := molecule.ValidateSecretName(name); err != nil {
		return handed{}, err
	}
	for i, r := range variable {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			variable = ""
			break
		}
	}
	if variable == "" {
		return handed{}, molecule.Errorf(molecule.Invalid, "secret %s needs the name of a variable: letters, digits and _", name).
			WithHint("%s=VARIABLE", name)
	}
	return handed{name, variable, inFile}, nil
}

// secretsRun is secrets run as it was typed.
type secretsRun struct {
	files, env []string
	reason     string
}

// wanted are the secrets to hand over, each variable once.
func (o *secretsRun) wanted() ([]handed, error) {
	var all []handed
	for _, group := range []struct {
		texts  []string
		inFile bool
	}{{o.files, true}, {o.env, false}} {
		for _, text := range group.texts {
			h, err := parseHanded(text, group.inFile)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(all, func(o handed) bool { return o.variable == h.variable }) {
				return nil, molecule.Errorf(molecule.Invalid, "variable %s is named twice", h.variable).WithHint("%s=ANOTHER", h.secret)
			}
			all = append(all, h)
		}
	}
	if len(all) == 0 {
		return nil, molecule.Errorf(molecule.Invalid, "which secrets? Say --file NAME or --env NAME").
			WithHint("molecli secrets run --file NAME -- COMMAND; $NAME_FILE is where it is")
	}
	return all, nil
}

// newSecretsRunCmd makes secrets run.
func newSecretsRunCmd(a *app) *cobra.Command {
	var o secretsRun
	cmd := leaf{
		use:   "run --file NAME|--env NAME -- COMMAND [ARGUMENT...]",
		short: "Run a command that is given secrets",
		long: "Runs a command in place of molecli. --file gives it a file without a name that only it has open, and\n" +
			"the variable NAME_FILE that says where; --env gives it the value in the variable NAME, which its own\n" +
			"children get as well. NAME=VARIABLE calls the variable otherwise. Nothing runs before it has every value.\n" +
			"As reveal, it is for administrators on the unix socket and is in the audit trail.",
		examples: "  molecli secrets run --file TLS_KEY -- sh -c 'wc -c < \"$TLS_KEY_FILE\"'\n" +
			"  molecli secrets run --env API_TOKEN=TOKEN --reason 'rotate by hand' -- printenv TOKEN",
		args: cobra.ArbitraryArgs, // run says what is missing, in the order it is looked at
		run: func(ctx context.Context, args []string) error {
			return o.run(ctx, a, args)
		},
	}.command()
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().StringArrayVar(&o.files, "file", nil, "a secret that the command reads from a file; repeat it")
	cmd.Flags().StringArrayVar(&o.env, "env", nil, "a secret that the command has in its environment; repeat it")
	cmd.Flags().StringVar(&o.reason, "reason", "", "why; it is kept (default the name of the command)")
	for _, flag := range []string{"file", "env"} {
		completeFlag(cmd, flag, a.completeSecrets)
	}
	return cmd
}

// run asks for every value and becomes the command.
func (o *secretsRun) run(ctx context.Context, a *app, words []string) error {
	all, err := o.wanted()
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return molecule.Errorf(molecule.Invalid, "which command?").WithHint("molecli secrets run --file NAME -- COMMAND")
	}
	program, err := exec.LookPath(words[0])
	if err != nil {
		return molecule.Errorf(molecule.NotFound, "there is no command %s", words[0]).WithHint("see $PATH, or name the file itself").WithCause(err)
	}
	if o.reason == "" {
		o.reason = "run " + molecule.Excerpt(filepath.Base(program), 100)
	}
	s, err := a.session(ctx)
	if err != nil {
		return err
	}
	env := os.Environ()
	for _, h := range all {
		told, err := s.client.RevealSecret(ctx, h.secret, 0, o.reason)
		if err != nil {
			return err
		}
		value, err := base64.StdEncoding.DecodeString(told.Value.Reveal())
		if err != nil {
			return molecule.Errorf(molecule.Internal, "the daemon's answer is no value")
		}
		text, err := h.hand(value)
		if err != nil {
			return err
		}
		env = setVariable(env, h.variable, text)
	}
	err = syscall.Exec(program, words, env) // returns only when it failed
	return molecule.Errorf(molecule.Invalid, "%s cannot be run: %v", words[0], err).WithHint("is it a program for this machine?")
}

// hand returns what the variable is to be: the value, or where it is.
func (h handed) hand(value []byte) (string, error) {
	if h.inFile {
		return nameless(value)
	}
	if bytes.IndexByte(value, 0) >= 0 {
		return "", molecule.Errorf(molecule.Invalid, "the value of %s holds a NUL byte, which no variable can", h.secret).
			WithHint("--file %s", h.secret)
	}
	return string(value), nil
}

// nameless keeps a value in a file that has no name any more, and returns where the
// process that takes our place finds it. It is in memory where the system has a
// place for that.
func nameless(value []byte) (path string, err error) {
	dir := "/dev/shm"
	if info, serr := os.Stat(dir); serr != nil || !info.IsDir() {
		dir = ""
	}
	f, err := os.CreateTemp(dir, ".molecli-*") // of mode 0600
	if err == nil {
		defer func() { err = errors.Join(err, f.Close()) }()
		if err = os.Remove(f.Name()); err == nil {
			_, err = f.WriteAt(value, 0)
		}
	}
	if err != nil {
		return "", molecule.Errorf(molecule.Invalid, "there is no place for a file").WithHint("set TMPDIR").WithCause(err)
	}
	fd, err := syscall.Dup(int(f.Fd())) // a duplicate outlives this program
	if err != nil {
		return "", molecule.Errorf(molecule.Invalid, "the file cannot be handed over").WithCause(err)
	}
	return "/dev/fd/" + strconv.Itoa(fd), nil
}

// setVariable sets a variable in an environment.
func setVariable(env []string, name, value string) []string {
	env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
	return append(env, name+"="+value)
}
