package supervised

import (
	"net"
	"sync"
	"sync/atomic"
)

// Five ways to hang. None of them looks at a context; each ends when the test
// says so.

//go:noinline
func hangInChannel(release <-chan struct{}) { <-release }

//go:noinline
func hangInMutex(mu *sync.Mutex) {
	mu.Lock()
	defer mu.Unlock()
}

// hangInTransaction waits for the one connection that may write.
//
//go:noinline
func hangInTransaction(writer chan struct{}, done <-chan struct{}) {
	select {
	case writer <- struct{}{}:
		<-writer
	case <-done:
	}
}

//go:noinline
func hangInNetworkRead(conn net.Conn) {
	var buf [1]byte
	_, _ = conn.Read(buf[:]) // whatever ends it
}

//go:noinline
func hangInBusyLoop(release *atomic.Bool) {
	for !release.Load() {
	}
}
