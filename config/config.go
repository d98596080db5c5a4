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

// The units of systemd: the service, its sockets, its user, and the service as
// one user runs it. Their ExecStart names the binary of a package.
var (
	//go:embed moleculed.service
	Service []byte
	//go:embed moleculed.socket
	Socket []byte
	//go:embed moleculed.sysusers
	Sysusers []byte
	//go:embed moleculed.user.service
	UserService []byte
)

// Secrets is secrets.yaml: a secret map to begin with.
//
//go:embed secrets.yaml
var Secrets []byte
