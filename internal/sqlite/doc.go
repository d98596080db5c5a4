// Package sqlite keeps everything the daemon knows in one SQLite file. It
// stores; it decides nothing.
//
// One connection writes and a few read. Whoever changes something queues a
// function; the subsystem store-writer takes all that wait into one
// transaction, each in a savepoint of its own, and answers them after one
// commit to disk. A change and the event that tells of it commit together.
//
// Exported methods open the transaction; unexported functions take the *Tx and
// may be combined. Nothing outside sees database/sql. Start with [Open] and
// [DB.RunWriter].
package sqlite
