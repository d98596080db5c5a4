//go:build !crashpoints

package rotation

// crashPoint returns nil: only a daemon built with the tag crashpoints dies at
// one.
func crashPoint() func(string) { return nil }
