package postgres

import (
	"crypto/rand"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
	"github.com/molecule-ai/molecli/internal/vault/sink/postgres/postgrestest"
)

// login is what clients are told to use.
type login struct {
	version        int
	user, password string
}

// clients log in again and again with whatever is current.
type clients struct {
	current atomic.Pointer[login]
	logins  atomic.Int64

	mu     sync.Mutex
	failed []string
	acks   []int // the version that each has used last
	used   *sync.Cond
}

func newClients(n int) *clients {
	c := &clients{acks: make([]int, n)}
	c.used = sync.NewCond(&c.mu)
	return c
}

// run is one client, until stop is closed.
func (c *clients) run(t *testing.T, i int, stop <-chan struct{}) {
	again := time.NewTicker(pause)
	defer again.Stop()
	for {
		select {
		case <-stop:
			return
		case <-again.C:
		}
		l := c.current.Load()
		conn, err := postgrestest.Connect(t.Context(), database.Addr, l.user, l.password)
		if err == nil {
			err = conn.Close(t.Context())
		}
		c.logins.Add(1)
		c.mu.Lock()
		if err != nil {
			c.failed = append(c.failed, fmt.Sprintf("version %d: %v", l.version, err))
		}
		c.acks[i] = l.version
		c.used.Broadcast()
		c.mu.Unlock()
	}
}

// tell makes a login the current one and waits until every client has used it:
// then none uses the one before any more.
func (c *clients) tell(l login) {
	c.current.Store(&l)
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		all := true
		for _, version := range c.acks {
			all = all && version >= l.version
		}
		if all {
			return
		}
		c.used.Wait()
	}
}

// pause is how long a client uses a connection. Without it the clients would
// leave the server no time for anything else.
const pause = 50 * time.Millisecond

// TestRotations_noClientIsEverRefused rotates 3 times with 3 clients;
// MOLECULE_ROTATIONS=1000 does so as often, with 16.
func TestRotations_noClientIsEverRefused(t *testing.T) {
	t.Parallel()
	rotations, n := 3, 3
	if text := os.Getenv("MOLECULE_ROTATIONS"); text != "" {
		var err error
		if rotations, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		n = 16
	}
	k := open(t, target(t, database.Addr, newRoles(t, 2)...))
	c := newClients(n)
	old := rotate(t, k, c, sink.Change{}, 1, false)
	stop := make(chan struct{})
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() { c.run(t, i, stop) })
	}
	end := sync.OnceFunc(func() {
		close(stop)
		running.Wait()
	})
	t.Cleanup(end)
	began := time.Now()
	for i := range rotations {
		old = rotate(t, k, c, sink.Change{Old: old}, i+2, true)
	}
	took := time.Since(began)
	end()
	if len(c.failed) > 0 {
		t.Errorf("%d logins failed, the first with %s", len(c.failed), c.failed[0])
	}
	if logins := c.logins.Load(); logins < int64(n) {
		t.Errorf("there were only %d logins", logins)
	}
	t.Logf("%d rotations, %d clients, %d logins, %d failed, %s", rotations, n, c.logins.Load(), len(c.failed), took.Round(time.Millisecond))
}

// rotate does what a rotation does: apply, verify, tell everybody, wait for
// everybody, revoke, and prove the old one dead. It returns the new value.
func rotate(t *testing.T, k sink.Sink, c *clients, change sink.Change, version int, revoke bool) molecule.Secret {
	t.Helper()
	change.New, change.Credential = molecule.NewSecret(rand.Text()), superPassword
	state, err := k.Apply(t.Context(), change)
	if err != nil {
		t.Fatal(err)
	}
	if verdict, err := k.Verify(t.Context(), change); err != nil || verdict != sink.Proved {
		t.Fatalf("version %d is %s, %v", version, verdict, err)
	}
	told := login{version, state.User, change.New.Reveal()}
	if !revoke {
		c.current.Store(&told)
		return change.New
	}
	c.tell(told)
	if _, err := k.Revoke(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	dead := sink.Change{New: change.Old, Credential: superPassword}
	if verdict, err := k.Verify(t.Context(), dead); err != nil || verdict != sink.Wrong {
		t.Fatalf("version %d, which was revoked, is %s, %v", version-1, verdict, err)
	}
	return change.New
}
