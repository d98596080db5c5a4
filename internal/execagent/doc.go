// Package execagent asks agents that are local commands: the prompt goes to
// standard input, standard output is the reply, the exit status decides.
//
// A command runs in a process group of its own, which is noted before the
// command starts and killed as a whole when it is over, so that nothing of it
// is left, also after a crash of the daemon. The package expands nothing and
// judges nothing. Start with [Runner.Deliver]; [Resolve] is what a command has
// to pass before an agent may have it.
package execagent
