// Package daemon puts moleculed together: it reads the configuration, opens
// the store, gives every service what it needs, supervises what loops and
// serves until it is told to stop.
//
// It holds no rule of its own. Start with [New] for the order things are made
// in, [Daemon.Run] for the order they stop in, and subsystems.go for the table
// of everything that is watched.
package daemon
