// Package netguard is the only package that dials out. It decides which
// addresses that came from outside may be called at all, and makes sure that
// what is connected to is what was checked.
//
// A URL is judged three times: as text, by [Guard.CheckURL], when it is stored;
// as text again before each request; and as an address, after its name was
// looked up and once more when the kernel is about to connect. A name is looked
// up once and the checked address is dialled, so an answer that changes in
// between changes nothing.
//
// Who wrote a URL decides what it may point at. That travels in the context as
// a [Target], and a request without one is refused. The package follows no
// redirect, uses no proxy and keeps no cookie, and it does not judge what comes
// back.
//
// Start with [Guard]. [Endpoint] is apart from it: the way to the operator's own
// daemon.
package netguard
