// Package e2e drives both binaries as an operator and a service manager do:
// scripts of commands, and kills at random points. It holds only tests.
package e2e
