// Package peers drives the real binaries against agents nobody here wrote: the
// JavaScript A2A SDK in two versions and the command of the Go SDK.
//
// It is a module of its own, so that what those link is no dependency of the
// program. make peers fetches them; without them the tests are skipped and say
// so.
package peers
