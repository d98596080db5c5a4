package auth

import (
	"cmp"
	"context"
	"crypto/subtle"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Store is where tokens are kept.
type Store interface {
	Tokens(ctx context.Context) ([]molecule.Token, error)
}

// Tokens is what the daemon knows of every token, held in memory so that a
// locked store does not lock operators out. The zero value knows none and
// refuses all. It is safe for concurrent use.
type Tokens struct {
	mu   sync.RWMutex
	byID map[string]*known
	used []string      // those whose last use was noted since Used was last called
	told chan struct{} // closed at the next change; nil: nobody waits for one
}

// known is one token. Its LastUsed is to the minute, and of this process.
type known struct{ molecule.Token }

// noteAgainAfter is how old the noted last use of an agent's token has to be
// before another one is noted. Agents ask all day, and when each was last heard
// is kept without a write; of an operator's token every minute is noted.
const noteAgainAfter = time.Hour

// outdates reports whether a use in a minute is worth noting.
func (k *known) outdates(minute time.Time) bool {
	if k.AgentID != "" {
		return minute.Sub(k.LastUsed) >= noteAgainAfter
	}
	return minute.After(k.LastUsed)
}

// LoadTokens reads every token from the store. When that fails nobody has
// access, and the daemon should not start.
func LoadTokens(ctx context.Context, store Store) (*Tokens, error) {
	all, err := store.Tokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("load tokens: %w", err)
	}
	ts := &Tokens{byID: make(map[string]*known, len(all))}
	for _, t := range all {
		ts.byID[t.ID] = &known{t}
	}
	return ts, nil
}

// Changed returns a channel that is closed when a token was added or revoked
// since: whoever serves a bearer for long then looks again.
func (ts *Tokens) Changed() <-chan struct{} {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.told == nil {
		ts.told = make(chan struct{})
	}
	return ts.told
}

// tell wakes who waits for a change. The caller holds the lock.
func (ts *Tokens) tell() {
	if ts.told != nil {
		close(ts.told)
		ts.told = nil
	}
}

// Put takes a new or changed token into account, from the next request on. Call
// it when the change is committed, not before.
func (ts *Tokens) Put(t molecule.Token) {
	t.Scopes = slices.Clone(t.Scopes)
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.byID == nil {
		ts.byID = make(map[string]*known)
	}
	if old := ts.byID[t.ID]; old != nil && old.LastUsed.After(t.LastUsed) {
		t.LastUsed = old.LastUsed // not stored yet
	}
	ts.byID[t.ID] = &known{t}
	ts.tell()
}

// RevokeAgent makes every token of an agent good for nothing, from the next
// request on. Call it when that is committed, not before.
func (ts *Tokens) RevokeAgent(agentID string, at time.Time) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, k := range ts.byID {
		if k.AgentID == agentID && agentID != "" && k.RevokedAt.IsZero() {
			k.RevokedAt = at
		}
	}
	ts.tell()
}

// all returns what is known of every token, newest first.
func (ts *Tokens) all() []molecule.Token {
	ts.mu.RLock()
	defer ts.mu.RUnlock()
	list := make([]molecule.Token, 0, len(ts.byID))
	for _, k := range ts.byID {
		list = append(list, k.Token)
	}
	slices.SortFunc(list, func(a, b molecule.Token) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// token returns the token of an id.
func (ts *Tokens) token(id string) (molecule.Token, bool) {
	ts.mu.RLock()
	defer ts.mu.RUnlock()
	return ts.find(id)
}

// find is token for whoever holds the lock.
func (ts *Tokens) find(id string) (molecule.Token, bool) {
	if k := ts.byID[id]; k != nil {
		return k.Token, true
	}
	return molecule.Token{}, false
}

// Check returns what is known of a presented token, and whether it may be used
// at now. The time it takes does not tell an unknown id from a wrong token.
func (ts *Tokens) Check(presented string, now time.Time) (molecule.Token, bool) {
	t, genuine := ts.recognise(presented)
	if live := t.Live(now); !genuine || !live {
		return molecule.Token{}, false
	}
	t.Scopes = slices.Clone(t.Scopes)
	return t, true
}

// recognise returns what is known of a presented token, and whether it is one
// of ours at all, also if it is no longer good.
func (ts *Tokens) recognise(presented string) (molecule.Token, bool) {
	p, err := Parse(presented)
	if err != nil {
		return molecule.Token{}, false
	}
	ts.mu.RLock()
	// An unknown id is compared with the zero digest, which no token has.
	t, found := ts.find(p.ID)
	ts.mu.RUnlock()
	same := subtle.ConstantTimeCompare(t.Digest[:], p.Digest[:]) == 1
	return t, found && same
}

// use notes that a token was used, to the minute and not more often than that:
// more would be a write per request for nobody.
func (ts *Tokens) use(id string, now time.Time) {
	minute := now.UTC().Truncate(time.Minute)
	ts.mu.RLock()
	k := ts.byID[id]
	worth := k != nil && k.outdates(minute)
	ts.mu.RUnlock()
	if !worth {
		return
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if k = ts.byID[id]; k.outdates(minute) { // a token is never forgotten
		k.LastUsed = minute
		ts.used = append(ts.used, id)
	}
}

// Used returns the minute each token was last used in, by id, for those of which
// that was noted since the last call. Whoever calls it stores them.
func (ts *Tokens) Used() map[string]time.Time {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	used := make(map[string]time.Time, len(ts.used))
	for _, id := range ts.used {
		used[id] = ts.byID[id].LastUsed
	}
	ts.used = nil
	return used
}
