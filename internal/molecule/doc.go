// Package molecule is the language of the program: the nouns an operator
// speaks of, the rules a value must keep, the codes an error may carry and the
// service interfaces that daemon and client share.
//
// It imports only the standard library and does nothing: it opens no file,
// dials nobody and keeps no state. Start with [Schedule] and [Run]; a schedule
// says when to send which prompt to which agent, and a run says what became of
// one slot of it.
package molecule
