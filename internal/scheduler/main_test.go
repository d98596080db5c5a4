package scheduler_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain draws fewer cases than the library's hundred: each one is a store
// that is opened and closed several times.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("12"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
