package daemon

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// certificate makes a certificate for loopback that signs itself, and returns
// its files.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key, pool = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), x509.NewCertPool()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if !pool.AppendCertsFromPEM(text) {
		t.Fatal("the certificate is none")
	}
	for path, content := range map[string][]byte{cert: text, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, pool
}

func TestServe_speaksTLSWhereItIsAskedTo(t *testing.T) {
	t.Parallel()
	cert, key, pool := certificate(t)
	d := serve(t, func(cfg *Config) {
		cfg.Network.TLSCert, cfg.Network.TLSKey = cert, key
		cfg.Listen = append(cfg.Listen, "https://127.0.0.1:0")
	})
	at := d.Addr("tcp")
	if !strings.HasPrefix(at, "https://127.0.0.1:") {
		t.Fatalf("it listens at %s", at)
	}
	get := func(max uint16) (*http.Response, error) {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: max}}
		t.Cleanup(transport.CloseIdleConnections)
		return (&http.Client{Transport: transport}).Get(at + "/health")
	}
	res, err := get(tls.VersionTLS13)
	if err != nil || res.StatusCode != http.StatusOK || res.ProtoMajor != 1 {
		t.Errorf("got %+v, %v", res, err)
	}
	if _, err := get(tls.VersionTLS11); err == nil {
		t.Error("it speaks an old TLS")
	}
	if res, err := http.Get("http://" + strings.TrimPrefix(at, "https://") + "/health"); err == nil && res.StatusCode == http.StatusOK {
		t.Error("it speaks plain HTTP on the same port")
	}
}

func TestServe_toldToStopWhileItBeginsIsNoFailure(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	dir := t.TempDir()
	cfg := DefaultConfig()
	data := filepath.Join(dir, "d")
	cfg.DataDir, cfg.Listen = &data, []string{"http://127.0.0.1:0"}
	if err := runServe(ctx, cfg, discard(), func(*Daemon) error { return nil }); err != nil {
		t.Errorf("got error %v", err)
	}
	cfg.Listen = []string{"http://127.0.0.1:0", "https://127.0.0.1:0"} // without a certificate
	if err := runServe(t.Context(), cfg, discard(), func(*Daemon) error { return nil }); molecule.CodeOf(err) != molecule.Invalid {
		t.Errorf("what keeps it from beginning is not told: %v", err)
	}
}

// TestNew_refusesSettingsThatContradictEachOther wants each refusal to name the
// setting and to say what to do.
func TestNew_refusesSettingsThatContradictEachOther(t *testing.T) {
	t.Parallel()
	cert, key, _ := certificate(t)
	open := filepath.Join(t.TempDir(), "open.pem")
	if err := os.WriteFile(open, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o640); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	org := "acme"
	for name, c := range map[string]struct {
		change     func(*Config)
		names, try string
	}{
		"local agents with an organisation": {func(c *Config) { c.OrgID, c.Network.LocalAgents = &org, "on" }, "network.local_agents", "use auto or off"},
		"local agents and a public listener": {func(c *Config) {
			c.Network.LocalAgents, c.Network.BehindTLSProxy = "on", true
			c.Listen = []string{"http://0.0.0.0:0"}
		}, "network.local_agents", "use auto or off"},
		"a public listener without TLS":  {func(c *Config) { c.Listen = []string{"http://0.0.0.0:0"} }, "http://0.0.0.0:0", "network.behind_tls_proxy"},
		"TLS without a certificate":      {func(c *Config) { c.Listen = []string{"https://127.0.0.1:0"} }, "https://127.0.0.1:0", "network.tls_cert"},
		"a certificate without its key":  {func(c *Config) { c.Network.TLSCert = cert }, "network.tls_key", "name both"},
		"a key that others may read":     {func(c *Config) { c.Network.TLSCert, c.Network.TLSKey = cert, open }, "network.tls_key", "chmod 600"},
		"a key that is none":             {func(c *Config) { c.Network.TLSCert, c.Network.TLSKey = cert, cert }, "network.tls_key", "PEM"},
		"a key that is not there":        {func(c *Config) { c.Network.TLSCert, c.Network.TLSKey = cert, key+"x" }, "network.tls_key", "name a file"},
		"a prefix that is never opened":  {func(c *Config) { c.Network.AllowPrefixes = []string{"127.0.0.0/8"} }, "network.allow_prefixes", "smaller ranges"},
		"a prefix that is none":          {func(c *Config) { c.Network.AllowPrefixes = []string{"10/8"} }, "network.allow_prefixes", "100.64.0.0/11"},
		"a resolver that is none":        {func(c *Config) { c.Network.Resolver = "dns" }, "network.resolver", "192.168.1.1:53"},
		"a sink host that is no origin":  {func(c *Config) { c.Network.AllowSinkHosts = []string{"git"} }, "network.allow_sink_hosts", "https://git.example.com"},
		"an operator this machine lacks": {func(c *Config) { c.Auth.Operators = []string{"nobody-of-ours"} }, "nobody-of-ours", "uid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, dir := DefaultConfig(), t.TempDir()
			data := filepath.Join(dir, "d")
			sqlitetest.Seed(t, data)
			cfg.DataDir, cfg.Listen = &data, []string{"unix://" + filepath.Join(dir, "s")}
			c.change(&cfg)
			_, err := New(t.Context(), cfg, discard())
			if err == nil || !strings.Contains(err.Error(), c.names) || !strings.Contains(molecule.HintOf(err), c.try) {
				t.Errorf("got error %v, hint %q; want one that names %s and says %q", err, molecule.HintOf(err), c.names, c.try)
			}
		})
	}
}

func TestLoadConfig_refusesAFileThatOthersMayChange(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "moleculed.yaml")
	if err := os.WriteFile(path, []byte("log:\n  level: warn\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, refused := range map[os.FileMode]bool{0o600: false, 0o644: false, 0o664: true, 0o646: true, 0o666: true} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadConfig(path, nil)
		if got := molecule.CodeOf(err) == molecule.Forbidden && strings.Contains(molecule.HintOf(err), "chmod go-w"); got != refused || !refused && err != nil {
			t.Errorf("mode %o: got error %v, want refused %v", mode, err, refused)
		}
	}
}

// Not parallel: it is the whole process that is hardened.
func TestHarden_leavesNothingOfTheProcessToOthers(t *testing.T) {
	before, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	umask := unix.Umask(0o022)
	t.Cleanup(func() { // for the other tests
		_ = unix.Prctl(unix.PR_SET_DUMPABLE, uintptr(before), 0, 0, 0)
		unix.Umask(umask)
	})
	if err := harden(); err != nil {
		t.Fatal(err)
	}
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil || core.Cur != 0 || core.Max != 0 {
		t.Errorf("the limit of a core is %+v, %v", core, err)
	}
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || dumpable != 0 {
		t.Errorf("dumpable is %d, %v", dumpable, err)
	}
	if mask := unix.Umask(0o077); mask != 0o077 {
		t.Errorf("the umask is %03o", mask)
	}
}

// A program that had moleculed within it once made files that no other user could
// read, from then on.
func TestNew_leavesTheUmaskOfItsProcessAlone(t *testing.T) {
	before := unix.Umask(0o022)
	t.Cleanup(func() { unix.Umask(before) })
	cfg := DefaultConfig()
	cfg.DataDir, cfg.Listen = new(t.TempDir()), []string{"unix://" + filepath.Join(t.TempDir(), "s")}
	d, err := New(t.Context(), cfg, discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.close() })
	if mask := unix.Umask(0o022); mask != 0o022 {
		t.Errorf("the umask has become %03o", mask)
	}
}
