package retention

import (
	"context"
	"fmt"
	"time"
)

const (
	lookUsers = 5000 // rows that may have a prompt, read at once
	lookKeys  = 5000
)

// sweep is one way through all prompts. What has one is read first: schedules,
// then runs. A run is made with the prompt of a schedule, so that one made
// meanwhile has a prompt that its schedule was seen to have, or that whoever gave
// it to one of them has taken back from what is found unused.
type sweep struct {
	used  []uint64 // a bit for each key
	users int      // 0: schedules are read; 1: runs are; 2: all were
	after int64
}

func (s *sweep) mark(key int64) {
	word := int(key / 64)
	for len(s.used) <= word {
		s.used = append(s.used, make([]uint64, max(word+1-len(s.used), len(s.used)))...)
	}
	s.used[word] |= 1 << (key % 64)
}

func (s *sweep) marked(key int64) bool {
	word := int(key / 64)
	return word < len(s.used) && s.used[word]&(1<<(key%64)) != 0
}

// prompts goes through all prompts.
func (k *Keeper) prompts(now time.Time) func(context.Context) (bool, error) {
	began := time.Now()
	s := &sweep{}
	var unused []int64
	return func(ctx context.Context) (bool, error) {
		switch {
		case s.users < 2:
			return true, k.look(ctx, func() error { return k.readUsers(ctx, s) })
		case len(unused) > 0:
			_, err := k.slice(ctx, "prompts", func(n int) (int, time.Duration, error) {
				some := unused[:min(n, len(unused))]
				unused = unused[len(some):]
				return k.Store.PrunePrompts(ctx, some, now.Add(-k.Rules.PromptAge))
			})
			return true, err
		}
		more := false
		err := k.look(ctx, func() error {
			keys, err := k.Store.PromptKeys(ctx, s.after, lookKeys)
			if err != nil {
				return fmt.Errorf("read prompts: %w", err)
			}
			for _, key := range keys {
				if s.after = key; !s.marked(key) {
					unused = append(unused, key)
				}
			}
			more = len(keys) > 0
			return nil
		})
		if err == nil && !more {
			k.swept = began
		}
		return more, err
	}
}

// readUsers marks the prompts of some rows.
func (k *Keeper) readUsers(ctx context.Context, s *sweep) error {
	used, more, err := k.Store.PromptUsers(ctx, s.users == 1, s.after, lookUsers)
	if err != nil {
		return fmt.Errorf("read who has prompts: %w", err)
	}
	for _, key := range used {
		s.mark(key)
	}
	s.after += lookUsers
	if !more {
		s.users, s.after = s.users+1, 0
	}
	return nil
}
