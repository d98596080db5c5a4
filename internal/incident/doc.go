// Package incident keeps what a person should know: opened once, counted,
// closed once, and still there after a restart.
//
// Whoever finds that something is wrong tells [Keeper.Open], and
// [Keeper.Close] when it is over; whoever knows all of a kind that is wrong at
// one time tells [Keeper.Report]. None of them waits for the store: what is
// open is kept in memory, and written behind it by Keeper.Run, so that a store
// that hangs cannot hide its own incident. What was open when the daemon ended
// is learned from the store before anything starts, so that a restart raises no
// second alarm.
//
// The transitions of subsystems become incidents here as well, in subsystems.go.
// Nobody is sent a message by this package.
package incident
