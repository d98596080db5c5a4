// Package cli is molecli: what an operator types, and what they read.
//
// A command is an options struct, a constructor that knows cobra, and a run
// method that does not. Commands reach the daemon through package client and a
// screen through package term; they keep no state and open no database.
// Results go to standard output, everything else to standard error, and the
// exit status comes from the one table in package wire. Start with [Main].
package cli
