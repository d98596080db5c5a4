// Package inbox keeps what agents that ask for their work are sent until they
// ask for it, and takes what they reply.
//
// [Service] is three things: the inbox as the platform wire serves it, the
// courier of runs to such agents, and the subsystem inbox, which takes back what
// an agent took and never finished. What is handed out is leased: an agent that
// dies with it in hand is given it again, unless doing it twice would be worse
// than not at all, as it is for a run that may not be sent twice.
//
// It judges no reply; that is the outcome table of package dispatch.
package inbox
