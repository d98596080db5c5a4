// Package dispatch brings runs to agents and judges what comes back.
//
// [Dispatcher] takes claimed runs over, keeps one queue per agent and delivers
// each run under its own deadline, so that an agent that hangs holds only its
// own place. [Judge] is the outcome table: a pure function from the facts of a
// reply to an outcome. How an agent is reached is the business of a [Courier].
package dispatch
