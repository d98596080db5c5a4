// Package secretmap reads secret maps and says what follows from them: what is
// wrong, in which order secrets are made of each other, and what a person would
// do to change one.
//
// It holds no value of a secret, asks nobody and writes nothing. A map is the
// same whether it comes from a file or from the daemon; only a [File] can say in
// which line something stands. Start with [Read], [Lint] and [Runbook].
package secretmap
