// Moleculed is the daemon that wakes agents on time, watches them and itself,
// and keeps a row for every slot that says what became of it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/molecule-ai/molecli/internal/daemon"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := daemon.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}
