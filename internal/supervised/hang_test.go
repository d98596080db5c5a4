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
// one is reported with the function. It returns how long after its beginning
// the last was. The first life of each hangs; release ends it.
func hangers(t testing.TB, s *Supervisor, limit time.Duration, function string, hangs []func(), release func()) time.Duration {
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
	reported, longest := 0, time.Duration(0)
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
				longest = max(longest, now.Sub(*begun[i].Load()))
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
	return longest
}

// wantInTime holds hangs in virtual time to limit + 1 s.
func wantInTime(t *testing.T, limit, longest time.Duration) {
	t.Helper()
	if longest > limit+time.Second {
		t.Errorf("the last was reported after %s, want at most %s", longest, limit+time.Second)
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
		wantInTime(t, 10*time.Second,
			hangers(t, New(Options{}), 10*time.Second, "supervised.hangInChannel", hangs, func() { close(release) }))
	})
}

func TestHang_inATransactionIsReportedInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		writer, done := make(chan struct{}, 1), make(chan struct{})
		writer <- struct{}{} // held by somebody who never commits
		hangs := each(hangsOfAKind, func(int) { hangInTransaction(writer, done) })
		wantInTime(t, 10*time.Second,
			hangers(t, New(Options{}), 10*time.Second, "supervised.hangInTransaction", hangs, func() { close(done) }))
	})
}

// The other three cannot wait in virtual time, which stands still for as long
// as a goroutine may go on by itself. In real time a busy machine would fail a
// test that judged it, so that they say how long it took, and all of them have
// to be reported.

func TestHang_inAMutexIsReported(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	mu.Lock()
	hangs := each(hangsOfAKind, func(int) { hangInMutex(&mu) })
	t.Log(hangers(t, hasty(), hastyLimit, "supervised.hangInMutex", hangs, mu.Unlock))
}

func TestHang_inANetworkReadIsReported(t *testing.T) {
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
	t.Log(hangers(t, hasty(), hastyLimit, "supervised.hangInNetworkRead", hangs, func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}))
}

func TestHang_inABusyLoopIsReported(t *testing.T) {
	t.Parallel()
	const atATime = 2 // each takes a processor
	longest := time.Duration(0)
	for range hangsOfAKind / atATime {
		var release atomic.Bool
		hangs := each(atATime, func(int) { hangInBusyLoop(&release) })
		longest = max(longest, hangers(t, hasty(), hastyLimit, "supervised.hangInBusyLoop", hangs, func() { release.Store(true) }))
	}
	t.Log(longest)
}
