// Package incident keeps what a person should know: opened once, counted,
// closed once, and still there after a restart.
//
// Whoever finds that something is wrong tells [Keeper.Open], and
// [Keeper.Close] when it is over. Neither waits for the store: facts are kept in
// memory, the newest of each kind and subject, and are written behind them by
// Keeper.Run, so that a store that hangs cannot hide its own incident. What the
// store never saw of a thing that came and went is one incident, counted.
//
// The transitions of subsystems become incidents here as well, in subsystems.go.
// Nobody is sent a message by this package.
package incident
