package supervised

import (
	"context"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const hangsOfAKind = 100

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

// hangers begins one subsystem for each hang, and fails the test unless every
// one is reported within limit + 1 s of its beginning, with the function.
// The first life of each hangs; release ends it.
func hangers(t testing.TB, s *Supervisor, limit time.Duration, function string, hangs []func(), release func()) {
	t.Helper()
	begun := make([]atomic.Pointer[time.Time], len(hangs))
	var specs []Spec
	for i, hang := range hangs {
		specs = append(specs, Spec{
			Name: strconv.Itoa(i), Every: time.Minute, TickLimit: limit, Optional: true,
			Run: func(ctx context.Context, beat *Beat) error {
				return beat.Tick(ctx, func(ctx context.Context) error {
					now := time.Now()
					if begun[i].CompareAndSwap(nil, &now) {
						hang()
					}
					return nil
				})
			},
		})
	}
	rec := s.Transitions()
	end := begin(t, s, specs...)
	reported := 0
	for reported < len(hangs) {
		<-rec.Wake()
		err := rec.Drain(t.Context(), func(_ context.Context, events []molecule.SubsystemEvent) error {
			now := time.Now()
			for _, e := range events {
				i, _ := strconv.Atoi(e.Subsystem)
				if e.To != molecule.SubsystemStuck {
					continue
				}
				reported++
				if after := now.Sub(*begun[i].Load()); after > limit+time.Second {
					t.Errorf("hang %d reported after %s, want at most %s", i, after, limit+time.Second)
				}
				if e.BlockedIn != function {
					t.Errorf("hang %d is said to be in %q, want %s; stack:\n%s", i, e.BlockedIn, function, e.Stack)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	release()
	if err := end(); err != nil {
		t.Error(err)
	}
}

// each makes the hangs of a kind.
func each(n int, hang func(i int)) []func() {
	hangs := make([]func(), n)
	for i := range hangs {
		hangs[i] = func() { hang(i) }
	}
	return hangs
}

// hasty is a supervisor for real time: limits are milliseconds in there.
func hasty() *Supervisor {
	s := New(Options{})
	s.every, s.slack = 5*time.Millisecond, 5*time.Millisecond
	return s
}

const hastyLimit = 20 * time.Millisecond

func TestHang_inAChannelIsReportedInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		hangs := each(hangsOfAKind, func(int) { hangInChannel(release) })
		hangers(t, New(Options{}), 10*time.Second, "supervised.hangInChannel", hangs, func() { close(release) })
	})
}

func TestHang_inATransactionIsReportedInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		writer, done := make(chan struct{}, 1), make(chan struct{})
		writer <- struct{}{} // held by somebody who never commits
		hangs := each(hangsOfAKind, func(int) { hangInTransaction(writer, done) })
		hangers(t, New(Options{}), 10*time.Second, "supervised.hangInTransaction", hangs, func() { close(done) })
	})
}

// The other three cannot wait in virtual time, which stands still for as long
// as a goroutine may go on by itself.

func TestHang_inAMutexIsReportedInTime(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	mu.Lock()
	hangs := each(hangsOfAKind, func(int) { hangInMutex(&mu) })
	hangers(t, hasty(), hastyLimit, "supervised.hangInMutex", hangs, mu.Unlock)
}

func TestHang_inANetworkReadIsReportedInTime(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var conns []net.Conn
	for range hangsOfAKind {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	hangs := each(hangsOfAKind, func(i int) { hangInNetworkRead(conns[i]) })
	hangers(t, hasty(), hastyLimit, "supervised.hangInNetworkRead", hangs, func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
}

func TestHang_inABusyLoopIsReportedInTime(t *testing.T) {
	t.Parallel()
	const atATime = 2 // each takes a processor
	for range hangsOfAKind / atATime {
		var release atomic.Bool
		hangs := each(atATime, func(int) { hangInBusyLoop(&release) })
		hangers(t, hasty(), hastyLimit, "supervised.hangInBusyLoop", hangs, func() { release.Store(true) })
	}
}
