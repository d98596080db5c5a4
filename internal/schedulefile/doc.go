// Package schedulefile reads and writes files of schedules: crontabs, and the
// YAML or JSON of an export.
//
// What it reads it only reads: what an expression means and whether an agent
// exists is for the daemon to say. Whatever is wrong or has no effect is told
// with its line, and nothing is dropped in silence. [File.Locate] finds the
// place in the file of what the daemon refuses. Start with [Read] and
// [WriteYAML].
package schedulefile
