package sqlite

import "io/fs"

// Embedded are the migrations of this program, for tests that add to them.
func Embedded() fs.FS { return embedded() }

// WithSteps returns o with other migrations.
func (o Options) WithSteps(steps fs.FS) Options {
	o.steps = steps
	return o
}
