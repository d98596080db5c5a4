// Package supervised keeps long-running subsystems going, and tells the truth
// about them.
//
// A [Supervisor] runs each [Spec] on a goroutine of its own, starts it again
// when it ends, and judges it by one kind of evidence: work that ended. A loop
// proves itself with [Beat.Tick]; there is no other pulse, and nobody outside
// the goroutine of Run can give one.
//
// What goes wrong with supervision, and what answers it here:
//
//   - A panic ends a loop and nothing restarts it. Every ending restarts: a
//     panic, an error, and a clean return while the context is alive.
//   - A loop restarts for ever and looks alive in between. More than ten exits
//     in ten minutes are a failure, and one that was restarted is not called
//     good before a tick of it has ended.
//   - A pulse beats for a loop that hangs. A tick or a heartbeat from any other
//     goroutine is refused, and a heartbeat inside a tick does not shorten it.
//   - The watcher dies and its last answer stays green. The state is a pure
//     function of the evidence and of now; nothing needs to run for it.
//   - A loop hangs and ignores its context. Its stack is kept, its context is
//     cancelled, and then it is abandoned behind a fence, or, when critical,
//     [Supervisor.Run] returns so that the process ends and starts again.
//   - The store hangs and takes its own incident with it. Transitions stay in
//     memory until a [Recorder] has written them.
//   - The watcher is blocked by what it watches. It takes no lock that others
//     hold, and it logs and escalates from other goroutines.
//
// What it cannot do: end a goroutine against its will, or recover a panic in a
// goroutine that a subsystem started by itself. It knows nothing of what the
// subsystems do.
//
// Start with [Spec] and [Beat], then state.go (what a state means), watch.go
// (restarts) and ladder.go (hangs).
package supervised
