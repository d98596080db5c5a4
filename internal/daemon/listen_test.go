package daemon

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestAddresses_readsWhatListenTakes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw      string
		ok       bool
		loopback bool
	}{
		{"unix:///run/moleculed/moleculed.sock", true, true},
		{"http://127.0.0.1:7420", true, true},
		{"http://[::1]:7420", true, true},
		{"http://localhost:7420", true, true},
		{"http://127.9.9.9:0", true, true},
		{"http://0.0.0.0:7420", true, false},
		{"http://10.0.0.1:7420", true, false},
		{"http://example.com:7420", true, false},
		{"unix://relative.sock", false, false},
		{"unix://", false, false},
		{"https://127.0.0.1:7420", true, true},
		{"https://0.0.0.0:7420", true, false},
		{"ftp://127.0.0.1:7420", false, false},
		{"http://127.0.0.1", false, false},
		{"http://127.0.0.1:7420/path", false, false},
		{"http://user@127.0.0.1:7420", false, false},
		{"http://127.0.0.1:7420?x=1", false, false},
		{"127.0.0.1:7420", false, false},
		{":7420", false, false},
		{"", false, false},
	}
	for _, tt := range tests {
		all, err := addresses([]string{tt.raw})
		if !tt.ok {
			if molecule.CodeOf(err) != molecule.Invalid || !strings.Contains(molecule.HintOf(err), "unix:///path/to.sock") {
				t.Errorf("%q: %v, %v", tt.raw, all, err)
			}
			continue
		}
		if err != nil || len(all) != 1 || all[0].String() != tt.raw || all[0].loopback() != tt.loopback {
			t.Errorf("%q: %v, %v; want loopback %v", tt.raw, all, err, tt.loopback)
		}
	}
}

func TestBind_refusesWhatIsNotSafeOrNotFree(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "bind") // short: the path of a socket is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	live, err := net.Listen("unix", filepath.Join(dir, "live"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = live.Close() })
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, raw string
		code      molecule.Code
		says      string
	}{
		{"every interface without TLS", "http://0.0.0.0:0", molecule.Invalid, "reachable from other machines without TLS"},
		{"TLS without a certificate", "https://127.0.0.1:0", molecule.Invalid, "needs a certificate"},
		{"a port that is taken", "http://" + taken.Addr().String(), molecule.Conflict, "somebody else does"},
		{"a socket that answers", "unix://" + filepath.Join(dir, "live"), molecule.Conflict, "somebody else does"},
		{"a file that is no socket", "unix://" + file, molecule.Conflict, "is not a socket"},
		{"a directory that is not there", "unix://" + filepath.Join(dir, "no", "s"), molecule.Conflict, "no such file"},
	}
	for _, tt := range tests {
		all, err := addresses([]string{"unix://" + filepath.Join(dir, "first"), tt.raw})
		if err != nil {
			t.Fatal(err)
		}
		open, err := bind(t.Context(), all, nil, NetworkConfig{})
		if molecule.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) || open != nil {
			t.Errorf("%s: %v, %v; want %q", tt.name, open, err, tt.says)
		}
		if _, err := os.Lstat(filepath.Join(dir, "first")); !os.IsNotExist(err) {
			t.Errorf("%s: the listener before it is still open: %v", tt.name, err)
		}
	}
	if kept, err := os.ReadFile(file); err != nil || string(kept) != "precious" {
		t.Errorf("the file that is no socket is now %q, %v", kept, err)
	}
}

func TestBind_replacesTheSocketOfADeadDaemon(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "bind")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false) // as kill -9 leaves it
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	open, err := bind(t.Context(), []address{{network: "unix", where: path, named: true}}, nil, NetworkConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer open[0].Close()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != socketMode {
		t.Errorf("the socket has mode %v, %v; want %o", info.Mode(), err, socketMode)
	}
}

// handedOver is what a service manager listens at: a socket and a TCP port.
func handedOver(t *testing.T) (socket, port net.Listener) {
	t.Helper()
	dir, err := os.MkdirTemp("", "bind")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if socket, err = net.Listen("unix", filepath.Join(dir, "s")); err != nil {
		t.Fatal(err)
	}
	if port, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = socket.Close()
		_ = port.Close()
	})
	return socket, port
}

func TestBind_goesOnWithWhatTheServiceManagerOpened(t *testing.T) {
	t.Parallel()
	socket, port := handedOver(t)
	all := []address{
		{network: "unix", where: socket.Addr().String()},
		{network: "tcp", where: port.Addr().String()},
		{network: "tcp", where: "127.0.0.1:0"}, // which it did not
	}
	open, err := bind(t.Context(), all, []net.Listener{socket, port}, NetworkConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if len(open) != 3 || open[0] != socket || open[1] != port {
		t.Errorf("got %v, want both of the manager, in the order of the addresses", open)
	}
	_ = open[2].Close()
}

func TestBind_refusesWhatTheServiceManagerOpenedElsewhere(t *testing.T) {
	t.Parallel()
	socket, port := handedOver(t)
	other := "unix://" + socket.Addr().String() + "2"
	all, err := addresses([]string{other})
	if err != nil {
		t.Fatal(err)
	}
	_, err = bind(t.Context(), all, []net.Listener{socket, port}, NetworkConfig{})
	if molecule.CodeOf(err) != molecule.Invalid || !strings.Contains(err.Error(), socket.Addr().String()) {
		t.Errorf("got %v, want the address that nobody asked for", err)
	}
	if _, err := net.Dial("tcp", port.Addr().String()); err == nil {
		t.Error("what was refused is still open")
	}
}

func TestBind_asksForTLSAlsoWhereTheServiceManagerListens(t *testing.T) {
	t.Parallel()
	public, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	_, at, err := net.SplitHostPort(public.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{"0.0.0.0:" + at, "[::]:" + at, "localhost:" + at} {
		open, err := bind(t.Context(), []address{{network: "tcp", where: where}}, []net.Listener{public}, NetworkConfig{})
		if molecule.CodeOf(err) == "" {
			t.Errorf("%s: got %v without TLS", where, open)
		}
		for _, l := range open {
			_ = l.Close()
		}
	}
}

func TestLocalAgents_areNotForEveryone(t *testing.T) {
	t.Parallel()
	org := "acme"
	inside := []address{{network: "unix", where: "/s"}, {network: "tcp", where: "127.0.0.1:1"}}
	outside := append(inside[:1:1], address{network: "tcp", where: "0.0.0.0:1"})
	tests := []struct {
		name, setting string
		org           *string
		at            []address
		want          bool
		refused       bool
	}{
		{"auto, alone", "auto", nil, inside, true, false},
		{"auto, with an organisation", "auto", &org, inside, false, false},
		{"auto, open to others", "auto", nil, outside, false, false},
		{"on, alone", "on", nil, inside, true, false},
		{"on, with an organisation", "on", &org, inside, false, true},
		{"on, open to others", "on", nil, outside, false, true},
		{"off, alone", "off", nil, inside, false, false},
	}
	for _, tt := range tests {
		cfg := DefaultConfig()
		cfg.Network.LocalAgents, cfg.OrgID = tt.setting, tt.org
		got, err := localAgents(cfg, tt.at)
		if got != tt.want || (err != nil) != tt.refused {
			t.Errorf("%s: %v, %v", tt.name, got, err)
		}
	}
}

func TestInit_makesWhatServeNeedsAndLeavesTheRest(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "d")
	cfg := DefaultConfig()
	cfg.DataDir = &dir
	log := discard()
	first, err := Init(t.Context(), cfg, "", log)
	if err != nil {
		t.Fatal(err)
	}
	token := read(t, first.Token)
	if err := os.WriteFile(first.Config, []byte("org_id: mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Init(t.Context(), cfg, "", log)
	if diff := cmp.Diff(again, first); err != nil || diff != "" {
		t.Errorf("the second time, %v (-got +want):\n%s", err, diff)
	}
	if got := read(t, again.Token); got != token {
		t.Errorf("the token changed")
	}
	if got := read(t, again.Config); got != "org_id: mine\n" {
		t.Errorf("the configuration changed to %q", got)
	}
	for _, path := range []string{first.Token, first.Config} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
	}
	if _, err := Init(t.Context(), cfg, filepath.Join(dir, "no", "c.yaml"), log); molecule.CodeOf(err) != molecule.Forbidden {
		t.Errorf("a configuration that cannot be written: %v", err)
	}
	r := serve(t, nil)
	used := filepath.Join(r.dir, "d")
	cfg.DataDir = &used
	if _, err := Init(t.Context(), cfg, "", log); molecule.CodeOf(err) != molecule.Conflict || !strings.Contains(err.Error(), "pid") {
		t.Errorf("a directory in use: %v", err)
	}
}
