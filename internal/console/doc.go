// Package console holds the rules by which a web console decides whom it serves
// and where it sends people back to. Both are pure functions: they ask nobody.
//
// [Base.Class] tells whose host a request is for, and [Base.SafeReturnTo]
// whether a place that came in from outside may be returned to after a login.
package console
