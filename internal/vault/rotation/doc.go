// Package rotation changes a secret in every place that holds it, so that it
// cannot be half done.
//
// A rotation is a row that says which state it is in. What follows which state
// is a table (machine.go). Before each effect on the outside a row of the journal
// is committed, and one behind it; whoever finds a rotation that nobody drives
// asks the place what it holds and goes on from there. The new value is sealed
// and on disk before anything else happens. What holds a value that was not
// written from here is left as it is, and the rotation waits for a person.
//
// Before the new value is promoted a failure puts back what was written, the last
// first; behind that there is only forward. Package sink says what a place can be
// asked; this one knows no kind of them.
//
// Start with [Service.Rotate], then [Engine.Drive].
package rotation
