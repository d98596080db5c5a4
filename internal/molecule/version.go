package molecule

// version is set by the linker.
var version = "dev"

// Version returns what the build calls itself, "dev" when it was not told.
func Version() string { return version }
