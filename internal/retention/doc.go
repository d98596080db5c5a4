// Package retention keeps the store from growing without end.
//
// It looks for what the rules no longer want kept and has it pruned a few rows at
// a time: each slice holds the one writer for about a millisecond at most, and
// between two slices the writer is left to others for longer than that. What a
// run has come to stays in the sums of its schedule. It never asks for anything
// that is open, that something refers to, or that a budget still counts; the
// store looks again in the transaction that prunes.
//
// Start with [Rules], then [Keeper.Run].
package retention
