// Package config embeds the files that packages install: the documented
// default configuration of the daemon.
//
// It reads no configuration; internal/daemon does, and a test there fails when
// the file and the code differ.
package config

import _ "embed" // for the files below

// Moleculed is moleculed.yaml: every setting, its default and what it is for.
//
//go:embed moleculed.yaml
var Moleculed []byte
