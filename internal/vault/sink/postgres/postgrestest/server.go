// Package postgrestest starts a real PostgreSQL from the distribution's binaries,
// on loopback and in a scratch directory. It logs every statement, so that a test
// can look for what must not be there. Start with [Start].
package postgrestest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5"

	"github.com/molecule-ai/molecli/internal/vault/sink/sinktest"
)

// The superuser, and the database that everybody may use.
const (
	Superuser = "postgres"
	Password  = "super-password-6yQm"
	Database  = "postgres"
)

// trusting is a role that gets in with any password, because the configuration
// says so.
const hba = "host all trusting 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"

// Server is a running PostgreSQL.
type Server struct {
	*sinktest.Server
	dir string
}

// Start makes a cluster and starts it. Call Stop at the end.
func Start() (*Server, error) {
	dir, err := os.MkdirTemp("", "postgres")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	if err := s.start(); err != nil {
		_ = os.RemoveAll(dir) // the other error says more
		return nil, err
	}
	return s, nil
}

// Stop ends the server and removes the cluster.
func (s *Server) Stop() {
	s.Server.Stop()
	_ = os.RemoveAll(s.dir) // of the machine's temporary directory
}

func (s *Server) start() error {
	bin, err := binaries()
	if err != nil {
		return err
	}
	data, secret := filepath.Join(s.dir, "data"), filepath.Join(s.dir, "password")
	if err := os.WriteFile(secret, []byte(Password), 0o600); err != nil {
		return err
	}
	if as := unprivileged(); as != nil { // it refuses to run as root
		for _, path := range []string{s.dir, secret} {
			if err := os.Chown(path, int(as.Uid), int(as.Gid)); err != nil {
				return err
			}
		}
	}
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(context.Background(), filepath.Join(bin, name), args...)
		cmd.Dir, cmd.Env = s.dir, []string{"LC_ALL=C", "PATH=/usr/bin:/bin", "TZ=UTC"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: unprivileged()}
		return cmd
	}
	out, err := run("initdb", "-D", data, "-U", Superuser, "-A", "scram-sha-256", "--pwfile", secret, "-E", "UTF8", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		return err
	}
	s.Server, err = sinktest.StartServer(s.dir, syscall.SIGQUIT, func(port string) *exec.Cmd {
		return run("postgres", "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
			"-c", "fsync=off", "-c", "log_statement=all", "-c", "log_connections=on", "-c", "max_connections=200")
	}, func(ctx context.Context, addr string) error {
		conn, err := Connect(ctx, addr, Superuser, Password)
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
	return err
}

// binaries returns where the newest installed server is.
func binaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", fmt.Errorf("no PostgreSQL in /usr/lib/postgresql: apt-get install postgresql-15")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0 for what is no number
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

// unprivileged is whom root runs the server as: the user nobody.
func unprivileged() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: 65534, Gid: 65534}
}

// Connect logs in at an address, past everything the sink does.
func Connect(ctx context.Context, addr, user, password string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig("postgres://" + addr + "/" + Database + "?sslmode=disable")
	if err != nil {
		return nil, err
	}
	config.User, config.Password = user, password
	return pgx.ConnectConfig(ctx, config)
}

// Exec runs statements as the superuser.
func (s *Server) Exec(ctx context.Context, statements ...string) error {
	conn, err := Connect(ctx, s.Addr, Superuser, Password)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }() // what counts was done
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// HasPassword reports whether a role has one.
func (s *Server) HasPassword(ctx context.Context, role string) (bool, error) {
	conn, err := Connect(ctx, s.Addr, Superuser, Password)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close(ctx) }() // as in Exec
	var has bool
	err = conn.QueryRow(ctx, "SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolname = $1", role).Scan(&has)
	return has, err
}
