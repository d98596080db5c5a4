// Package tenant keeps a daemon invisible to everybody but its own
// organisation: a request that does not prove it was meant for this one sees
// the same 404 as a path that does not exist.
//
// The guard proves routing and grants nothing; who is asking is decided behind
// it. It answers with [NotFound] or not at all. Start with [Guard.Wrap].
//
// It stands in front of everything but panic recovery, the request id and the
// fixed security headers, and can only hide what net/http hands to it. So the
// server it runs in must
//
//   - set DisableGeneralOptionsHandler, or net/http answers OPTIONS * itself;
//   - speak HTTP/1 only, so that the raw request target is the one that was sent;
//   - bound the header by size and by time, and the whole request by time: the
//     rest of a body is read before a 404 is sent. A stream of events is not hurt,
//     net/http lifts the limit once a request has been read to its end;
//   - set no WriteTimeout, which would end a stream. Limits of an answer belong
//     behind the guard.
//
// [Harden] sets these. The router behind the guard must clean no path and
// redirect nothing, answer every unknown path with [NotFound], and not read the
// body before it knows the route: net/http decides by what is left of the body
// whether the connection stays open, and the two 404s must agree in that too.
//
// What net/http still answers by itself looks alike for every path and every
// organisation and so tells nothing: 400 for a request that is no HTTP or has
// no valid Host, 417 for an Expect it does not know, 431 for a header that is
// too large, 501 for an unknown transfer encoding, 505 for another version.
package tenant
