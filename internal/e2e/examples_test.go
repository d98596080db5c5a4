package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/cli"
	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/daemon"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
	"github.com/molecule-ai/molecli/internal/term"
)

// scene is what is there when an example is typed.
type scene int

const (
	usual    scene = iota // agents, a schedule that has run, calendars, a token
	nothing               // an empty store
	theAgent              // an agent and nothing that needs it
	atWork                // a run that does not end by itself
	trouble               // an incident
	aside                 // a store that no daemon uses, beside the usual
	copied                // the same, and a backup of it
)

// typed is how an example is to be typed, where that differs from just so.
type typed struct {
	scene   scene
	exit    int
	says    string // on standard error
	forever bool   // it goes on until it is interrupted
}

// examplesOf say how the examples of a command, or one of them, are to be typed.
func examplesOf() map[string]typed {
	return map[string]typed{
		"molecli agent add":                                    {scene: nothing},
		"molecli agent add echo --exec 'tr a-z A-Z'":           {scene: nothing},
		"molecli agent confirm-offline far":                    {exit: 5, says: "far"}, // nothing says that it is not there
		"molecli agent remove":                                 {scene: theAgent},
		"molecli agent remove echo":                            {scene: theAgent, exit: 2, says: "add --yes"}, // nobody is there to answer
		"molecli agent watch -o jsonl":                         {forever: true, exit: 130},
		"molecli calendar add":                                 {scene: nothing},
		"molecli calendar add holidays 2026-12-24..2027-01-02": {scene: nothing},
		"molecli calendar remove holidays":                     {exit: 2, says: "add --yes"},
		"molecli context add":                                  {scene: nothing},
		"molecli context":                                      {scene: nothing},
		"molecli context add prod --endpoint https://agents.example.com --org acme": {scene: nothing},
		"molecli context remove prod":     {exit: 2, says: "add --yes"},
		"molecli event watch --type run.": {forever: true, exit: 130},
		"molecli run cancel":              {scene: atWork},
		"molecli incident ack":            {scene: trouble},
		"molecli incident show":           {scene: trouble},
		"molecli run watch -o jsonl":      {forever: true, exit: 130},
		"molecli secrets add":             {scene: nothing},
		`printf %s "$TOKEN" | molecli secrets add API_TOKEN --from-file -`:                {scene: nothing},
		"molecli secrets remove API_TOKEN":                                                {exit: 2, says: "add --yes"},
		"molecli secrets drift":                                                           {exit: 12}, // it has no value yet
		"molecli token add":                                                               {scene: nothing},
		"molecli token add laptop --scope schedules:read --token-out laptop.token":        {scene: nothing},
		"molecli schedule add":                                                            {scene: theAgent},
		"molecli schedule add hello --agent echo --cron '0 8 * * *' --prompt 'say hello'": {scene: theAgent},
		"molecli schedule remove hello":                                                   {exit: 2, says: "add --yes"},
		"moleculed backup":                                                                {scene: aside},
		"moleculed migrate":                                                               {scene: aside},
		"moleculed restore":                                                               {scene: copied},
		"moleculed serve":                                                                 {forever: true},
		"moleculed serve --data-dir ./d":                                                  {forever: true},
		"moleculed healthcheck":                                                           {exit: 6, says: "nobody answers"}, // the daemon listens elsewhere
		"moleculed healthcheck --listen unix:///run/moleculed/moleculed.sock":             {},
		// A test's own programs are where no service could see them.
		"moleculed install-service --print --allow-write /srv/agents": {exit: 2, says: "it has no access to"},
	}
}

// TestExamples types every example of the help of both programs into a shell.
func TestExamples(t *testing.T) {
	t.Parallel()
	examples := append(examplesIn(t, "molecli", cliHelp), examplesIn(t, "moleculed", daemonHelp)...)
	if len(examples) < 100 {
		t.Fatalf("found only %d examples", len(examples))
	}
	how := examplesOf()
	for _, e := range examples {
		t.Run(e.text, func(t *testing.T) {
			t.Parallel()
			as, ok := how[e.text]
			if !ok {
				as = how[e.command]
			}
			newStage(t, as.scene).try(e.text, as)
		})
	}
}

// example is one line of the help of a command.
type example struct{ command, text string }

// help returns the help of a command.
type help func(args []string) string

func cliHelp(args []string) string {
	var out bytes.Buffer
	cli.Main(context.Background(), append(args, "--help"), cli.Env{
		Streams: term.Streams{In: strings.NewReader(""), Out: &out, Err: io.Discard},
		Lookup:  func(string) (string, bool) { return "", false }, Now: time.Now,
	})
	return out.String()
}

func daemonHelp(args []string) string {
	var out bytes.Buffer
	daemon.Main(context.Background(), append(args, "--help"), &out, io.Discard)
	return out.String()
}

// examplesIn returns the examples of a command and of all below it.
func examplesIn(t *testing.T, command string, ask help) []example {
	t.Helper()
	var all []example
	section := ""
	for line := range strings.Lines(ask(strings.Fields(command)[1:])) {
		word := strings.TrimSpace(line)
		switch {
		case word == "":
		case !strings.HasPrefix(line, " "):
			section = word
		case section == "Examples:":
			all = append(all, example{command, word})
		case section == "Commands:" && !strings.HasPrefix(word, "help "):
			all = append(all, examplesIn(t, command+" "+strings.Fields(word)[0], ask)...)
		}
	}
	if len(all) == 0 {
		t.Errorf("%s has no example", command)
	}
	return all
}

// stage is a directory with a daemon of its own.
type stage struct {
	t       *testing.T
	dir     string
	client  *client.Client
	instead *strings.Replacer // of what stands for something else in an example
}

// newStage starts a daemon and lays what the scene has.
func newStage(t *testing.T, sc scene) *stage {
	t.Helper()
	dir, err := os.MkdirTemp("", "ex") // short: the path of a socket is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &stage{t: t, dir: dir}
	for _, d := range []string{"etc", "elsewhere", ".config/fish/completions"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for f, text := range map[string]string{"etc/moleculed.yaml": "", "elsewhere/moleculed.yaml": "", "key.pem": "not a key, but long enough\n"} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(dir, "d")
	sqlitetest.Seed(t, data)
	if sc == aside || sc == copied {
		sqlitetest.Seed(t, filepath.Join(dir, "elsewhere/d"))
	}
	if sc == copied {
		_, err := sqlite.BackUp(t.Context(), filepath.Join(dir, "elsewhere/d"), filepath.Join(dir, "elsewhere/before-the-move.db"))
		s.must(err)
	}
	tcp := s.serve(data)
	token := "3f9a"
	if sc == usual {
		token = s.token()
		s.settings("contexts:\n  prod:\n    endpoint: " + s.socket() + "\n")
	}
	s.instead = strings.NewReplacer("/etc/moleculed/", dir+"/etc/", "unix:///run/moleculed/moleculed.sock", s.socket(), "3f9a", token,
		"http://127.0.0.1:7420", tcp, "https://agents.example.com", tcp)
	s.lay(sc)
	return s
}

func (s *stage) socket() string { return "unix://" + filepath.Join(s.dir, "s") }

// token makes one, keeps it in a file and returns the beginning of its id.
func (s *stage) token() string {
	s.t.Helper()
	laptop := molecule.NewToken{Name: "laptop", Scopes: []molecule.Scope{molecule.ScopeSchedulesRead}}
	s.must(s.client.CreateToken(s.t.Context(), &laptop))
	s.must(os.WriteFile(filepath.Join(s.dir, "laptop.token"), []byte(laptop.Token.Reveal()+"\n"), 0o600))
	return laptop.ID[:4]
}

// settings writes the file that molecli reads.
func (s *stage) settings(text string) {
	s.t.Helper()
	dir := filepath.Join(s.dir, ".config", "molecule")
	s.must(os.MkdirAll(dir, 0o700))
	s.must(os.WriteFile(filepath.Join(dir, "molecli.yaml"), []byte(text), 0o600))
}

// serve runs a daemon until the test ends, and returns where it listens beside
// its socket.
func (s *stage) serve(data string) (tcp string) {
	s.t.Helper()
	cfg := daemon.DefaultConfig()
	cfg.DataDir, cfg.Listen, cfg.Dispatch.Drain = &data, []string{s.socket(), "http://127.0.0.1:0"}, time.Millisecond
	d, err := daemon.New(s.t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		if err := d.Run(ctx); err != nil {
			s.t.Errorf("the daemon ended with %v", err)
		}
	})
	s.t.Cleanup(func() { cancel(); running.Wait() })
	s.client, err = client.New(client.Options{Endpoint: s.socket()})
	s.must(err)
	return d.Addr("tcp")
}

// lay makes what the scene has.
func (s *stage) lay(sc scene) {
	s.t.Helper()
	if sc == nothing {
		return
	}
	ctx := s.t.Context()
	echo := molecule.Agent{Name: "echo", Exec: &molecule.Exec{Command: "tr a-z A-Z"}, MaxConcurrent: 3}
	if sc == atWork {
		echo.Exec.Command = "sleep 600"
	}
	s.must(s.client.CreateAgent(ctx, &echo))
	if sc == theAgent {
		return
	}
	day, err := molecule.ParseDayRange("2026-12-25")
	s.must(err)
	s.must(s.client.CreateAgent(ctx, &molecule.Agent{Name: "far", URL: "http://127.0.0.1:9/"}))
	s.must(s.client.PutCalendar(ctx, &molecule.Calendar{Name: "holidays", Days: []molecule.DayRange{day}}))
	for _, name := range []string{"API_TOKEN", "TLS_KEY"} {
		value := molecule.Show(molecule.NewSecret(base64.StdEncoding.EncodeToString([]byte("the first value of " + name))))
		_, err := s.client.AddSecret(ctx, molecule.NewSecretValue{Name: name, Value: value})
		s.must(err)
	}
	s.must(s.client.ApplySecretMap(ctx, molecule.SecretMap{Secrets: []molecule.MappedSecret{{
		Name: "DB_PASSWORD", Class: molecule.SecretGenerated, Generator: &molecule.Generator{Kind: molecule.GeneratePassword},
		Sinks: []molecule.SinkSpec{{Kind: "file", Target: map[string]string{"path": filepath.Join(s.dir, "db-password")}}},
	}}}))
	s.must(s.client.PutCalendar(ctx, &molecule.Calendar{Name: "freeze", Days: []molecule.DayRange{day}}))
	s.must(s.client.CreateSchedule(ctx, &molecule.Schedule{Name: "hello", Agent: "echo", Cron: "0 8 * * *", Prompt: "say hello"}))
	if sc == trouble {
		s.trouble()
		return
	}
	for range 2 {
		run, err := s.client.TriggerSchedule(ctx, "hello")
		s.must(err)
		if sc == usual {
			_, err := s.client.WaitRun(ctx, run.ID)
			s.must(err)
		}
	}
}

// trouble has a schedule say nothing until that is an incident.
func (s *stage) trouble() {
	s.t.Helper()
	ctx := s.t.Context()
	s.must(s.client.CreateAgent(ctx, &molecule.Agent{Name: "mute", Exec: &molecule.Exec{Command: "true"}}))
	s.must(s.client.CreateSchedule(ctx, &molecule.Schedule{Name: "blank", Agent: "mute", Cron: "0 8 * * *", Prompt: "say hello"}))
	for range 3 {
		run, err := s.client.TriggerSchedule(ctx, "blank")
		s.must(err)
		_, err = s.client.WaitRun(ctx, run.ID)
		s.must(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		open, err := s.client.Incidents(ctx, molecule.IncidentFilter{})
		s.must(err)
		if len(open.Items) > 0 {
			return
		}
		<-tick.C
	}
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// shell returns a shell that is about to read a line.
func (s *stage) shell(line string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute) // whatever goes wrong
	s.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "bash", "-c", s.instead.Replace(line))
	cmd.Dir, cmd.WaitDelay = s.dir, 5*time.Second
	if strings.HasPrefix(line, "moleculed ") {
		cmd.Dir = filepath.Join(s.dir, "elsewhere") // beside the daemon that runs
	}
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir+"/.config", "TOKEN=a value from the environment", "GORACE=atexit_sleep_ms=10",
		"MOLECULE_ENDPOINT="+s.socket(), "MOLECULE_DATA_DIR="+cmd.Dir+"/d", "MOLECULE_LISTEN=unix://"+s.dir+"/other")
	return cmd
}

// try types an example.
func (s *stage) try(line string, as typed) {
	s.t.Helper()
	cmd := s.shell(line)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	var err error
	if as.forever {
		err = s.interrupt(cmd)
	} else {
		err = cmd.Run()
	}
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		s.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != as.exit || !strings.Contains(complaint.String(), as.says) {
		s.t.Errorf("exit %d, want %d and %q\n%s%s", got, as.exit, as.says, out.String(), complaint.String())
	}
}

// interrupt runs what goes on until it is interrupted, and does that once it
// has printed a line. Something happens all the time that it may tell of.
func (s *stage) interrupt(cmd *exec.Cmd) error {
	s.t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	cmd.Args[2] = "exec " + cmd.Args[2] + " 2>&1" // so that it is what is interrupted
	cmd.Stdout = write
	if err := errors.Join(cmd.Start(), write.Close()); err != nil {
		return err
	}
	said := make(chan error, 1)
	var reading sync.WaitGroup
	reading.Go(func() {
		line := bufio.NewReader(read)
		_, err := line.ReadString('\n')
		said <- err
		_, _ = io.Copy(io.Discard, line) // so that it never waits for us
	})
	defer reading.Wait()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for places := 1; ; {
		select {
		case err := <-said:
			if err != nil {
				s.t.Errorf("it printed no line: %v", err)
			}
			return errors.Join(cmd.Process.Signal(syscall.SIGINT), cmd.Wait())
		case <-tick.C:
			places++
			_, err := s.client.StartRun(s.t.Context(), molecule.NewRun{Agent: "echo", Prompt: "x"})
			_, uerr := s.client.UpdateAgent(s.t.Context(), "echo", molecule.AgentUpdate{MaxConcurrent: &places})
			if err := errors.Join(err, uerr); err != nil {
				s.t.Errorf("make something happen: %v", err)
			}
		}
	}
}
