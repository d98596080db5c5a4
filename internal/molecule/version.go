package molecule

import "runtime/debug"

// version is set by the linker.
var version = ""

// Version returns what the build calls itself: what it was told, or else what
// the toolchain noted of it, or else "dev".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
