// Package scheduler says when which prompt goes to whom.
//
// [Service] keeps schedules and tells what became of their runs; [Scheduler] is
// the loop that claims due slots. A claim is one transaction that moves the
// schedule on and inserts the runs, so that each slot has exactly one row
// however the process ends. The loop hands claimed runs over and never waits
// for an agent.
//
// What is decided for one due schedule is the pure function in plan.go.
package scheduler
