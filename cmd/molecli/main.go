// Command molecli is the operator's hand on moleculed. It gives streams,
// arguments and signals to package cli, which does everything.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/molecule-ai/molecli/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := cli.Main(ctx, os.Args[1:], cli.Process())
	stop()
	os.Exit(status)
}
