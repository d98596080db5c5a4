package molecule

import "time"

// Now returns the present as rows keep it: UTC, in whole milliseconds.
func Now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
