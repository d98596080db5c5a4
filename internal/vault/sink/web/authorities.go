package web

import (
	"crypto/x509"
	"io"
	"os"
	"path/filepath"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
)

// maxAuthorities bounds a file of authorities; that of a whole system is smaller.
const maxAuthorities = 1 << 20

// authorities reads the certificates of a PEM file. An error is Invalid.
func authorities(s sink.Spec, path string) (*x509.CertPool, error) {
	bad := func(cause error, format string, args ...any) error {
		err := molecule.Errorf(molecule.Invalid, format, args...).WithHint("write ca: and the path of a PEM file, from the root").WithCause(cause)
		err.Message = s.At() + ": " + err.Message
		return err
	}
	if !filepath.IsAbs(path) {
		return nil, bad(nil, "ca %q begins where the daemon was started", molecule.Excerpt(path, 80))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, bad(err, "the authorities in %s cannot be read", path)
	}
	defer func() { _ = f.Close() }() // it was only read
	pem, err := io.ReadAll(io.LimitReader(f, maxAuthorities+1))
	roots := x509.NewCertPool()
	if err != nil || len(pem) > maxAuthorities || !roots.AppendCertsFromPEM(pem) {
		return nil, bad(err, "%s holds no certificate, or more than %d bytes", path, maxAuthorities)
	}
	return roots, nil
}
