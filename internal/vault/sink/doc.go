// Package sink says what a place that holds a copy of a secret can be asked and
// told, so that a rotation drives all of them alike.
//
// A sink is first asked, then written, then asked again by another way than it
// was written. It never overwrites and never takes away what it did not write:
// a value that is neither the old one nor the new one is drift, and stays. Each
// step may be repeated, because whoever drives it may have died behind it.
//
// The package knows no kind of sink; each has a package below this one, and
// package kinds opens them. Values are passed in as they are to be written:
// templates are filled in before. No error, state or description holds a value.
//
// Start with [Sink] and [Change]. Most kinds hold one value and are a [Cell].
package sink
