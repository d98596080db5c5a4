package sinktest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// startLimit bounds the start of a server, on a machine that is busy.
const startLimit = 60 * time.Second

// Server is a server of the distribution that was started for tests.
type Server struct {
	Addr string // host:port on loopback
	Log  string // the path of what it printed

	cmd  *exec.Cmd
	done chan struct{}
	stop os.Signal
}

// StartServer starts what command returns for a port of 127.0.0.1, and waits
// until ready says so. Another port is tried when somebody took the first in
// between. Stop ends it, and so does the end of the test's own process.
func StartServer(dir string, stop os.Signal, command func(port string) *exec.Cmd, ready func(ctx context.Context, addr string) error) (*Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	var last error
	for range 5 {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		s := &Server{Addr: net.JoinHostPort("127.0.0.1", port), Log: filepath.Join(dir, "server.log"), done: make(chan struct{}), stop: stop, cmd: command(port)}
		if last = s.start(ctx, ready); last == nil {
			return s, nil
		}
		s.Stop()
		said, _ := os.ReadFile(s.Log) // to be told, if there is any
		last = fmt.Errorf("%w; it said: %s", last, said)
	}
	return nil, last
}

// listen listens on a free port of loopback.
func listen() (net.Listener, error) {
	var c net.ListenConfig
	return c.Listen(context.Background(), "tcp", "127.0.0.1:0")
}

func freePort() (string, error) {
	l, err := listen()
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	_ = l.Close() // it was never used
	return port, err
}

func (s *Server) start(ctx context.Context, ready func(ctx context.Context, addr string) error) error {
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		close(s.done)
		return err
	}
	defer func() { _ = log.Close() }() // the server has its own copy
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if s.cmd.SysProcAttr == nil {
		s.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	s.cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := s.cmd.Start(); err != nil {
		close(s.done)
		return err
	}
	go func() {
		_ = s.cmd.Wait() // how it ends is told by its log
		close(s.done)
	}()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if err = ready(ctx, s.Addr); err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-s.done:
			return fmt.Errorf("%s ended: %w", s.cmd.Path, err)
		case <-ctx.Done():
			return fmt.Errorf("%s did not get ready: %w", s.cmd.Path, err)
		}
	}
}

// Stop ends the server.
func (s *Server) Stop() {
	select {
	case <-s.done:
		return
	default:
	}
	_ = s.cmd.Process.Signal(s.stop) // one that has just ended needs none
	select {
	case <-s.done:
	case <-time.After(startLimit):
		_ = s.cmd.Process.Kill() // as above
		<-s.done
	}
}

// Listens reports whether somebody accepts connections at addr.
func Listens(ctx context.Context, addr string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}
