// Package term is how output looks: streams, tables, colours, ages.
//
// It knows what a terminal is and nothing of what is shown on it. It never
// asks the terminal anything: a query stalls for seconds where nobody answers,
// so colours are the palette entries 0 to 15, which fit any background, and the
// width comes from the kernel. Whatever comes from outside passes [Clean]
// before it reaches a screen. Start with [Table].
package term
