package daemon

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// tlsConfig reads the certificate that https listeners show; nil when none is
// configured. The key is refused when others may read it.
func (c NetworkConfig) tlsConfig() (*tls.Config, error) {
	switch {
	case c.TLSCert == "" && c.TLSKey == "":
		return nil, nil
	case c.TLSCert == "" || c.TLSKey == "":
		return nil, molecule.Errorf(molecule.Invalid, "network.tls_cert and network.tls_key go together, and only one is set").
			WithHint("name both files, or neither")
	}
	if err := privateFile("network.tls_key", c.TLSKey); err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return nil, molecule.Errorf(molecule.Invalid, "network.tls_cert and network.tls_key cannot be used: %v", err).
			WithHint("both are PEM files, and the key belongs to the certificate")
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"}, // the raw request target is what was sent
	}, nil
}

// privateFile refuses a file with a secret in it that others than its owner may
// read. What the service manager hands over is its to protect.
func privateFile(setting, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return molecule.Errorf(molecule.Invalid, "%s: %v", setting, err).WithHint("name a file that the daemon's user can read")
	}
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" && strings.HasPrefix(filepath.Clean(path), filepath.Clean(dir)+"/") {
		return nil
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return molecule.Errorf(molecule.Forbidden, "%s: %s has mode %04o, so others can read it", setting, path, mode).
			WithHint("chmod 600 %s", path)
	}
	return nil
}

// ownFile refuses a configuration that others than its owner may write: they
// would decide whom the daemon trusts.
func ownFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil // reading it says what is wrong
	}
	if mode := info.Mode().Perm(); info.Mode().IsRegular() && mode&0o022 != 0 {
		return molecule.Errorf(molecule.Forbidden, "the configuration %s has mode %04o, so others can change it", path, mode).
			WithHint("chmod go-w %s", path)
	}
	return nil
}
