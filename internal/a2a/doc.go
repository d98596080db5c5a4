// Package a2a speaks A2A to push agents, in its 1.0 and 0.3 dialects.
//
// [Client.Deliver] finds out from the agent's card which dialect it speaks and
// where, sends the prompt without waiting for the work, and polls the task
// until it is over. It reports facts and judges nothing; see molecule.Reply.
// It follows no redirect, reads no more than a fixed number of bytes, and
// every request goes through the guarded dialer.
//
// 1.0 is encoded and decoded by the official SDK's core. 0.3 is our own, in
// v03.go, because the SDK's bridge to it links gRPC. What an HTTP exchange was
// like is recorded beneath both, in exchange.go, since an SDK's error does not
// tell it.
package a2a
