// Package config embeds the files that packages install: the documented
// default configuration of the daemon, and what a service manager needs to run it.
//
// It reads no configuration; internal/daemon does, and a test there fails when
// the file and the code differ.
package config

import _ "embed" // for the files below

// Moleculed is moleculed.yaml: every setting, its default and what it is for.
//
//go:embed moleculed.yaml
var Moleculed []byte

// Service is the unit of the daemon as the system runs it. Its ExecStart names the
// binary of a package, as that of the others does.
//
//go:embed moleculed.service
var Service []byte

// Socket is the unit of the sockets that stay open while the daemon restarts.
//
//go:embed moleculed.socket
var Socket []byte

// Sysusers is the user of the daemon, for systemd-sysusers.
//
//go:embed moleculed.sysusers
var Sysusers []byte

// UserService is the unit of the daemon as one user runs it.
//
//go:embed moleculed.user.service
var UserService []byte

// Secrets is secrets.yaml: a secret map to begin with.
//
//go:embed secrets.yaml
var Secrets []byte
