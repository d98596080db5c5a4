package retention

import (
	"testing"
	"time"
)

func TestPace_followsWhatARowCosts(t *testing.T) {
	t.Parallel()
	p := newPace()
	cost := func(each time.Duration, slices int) (longest time.Duration) {
		for range slices {
			held := time.Duration(p.rows) * each
			p.took(p.rows, held)
			longest = max(longest, held)
		}
		return longest
	}
	if held := cost(10*time.Microsecond, 20); held > time.Millisecond || p.rows != 40 {
		t.Errorf("at 10 µs a row a slice holds the writer for %v and has %d rows", held, p.rows)
	}
	if cost(100*time.Microsecond, 20); p.rows != 4 {
		t.Errorf("when rows cost ten times as much a slice has %d", p.rows)
	}
	if cost(10*time.Millisecond, 20); p.rows != 1 {
		t.Errorf("when one row takes longer than there is a slice has %d", p.rows)
	}
	before := p.rows
	if cost(time.Nanosecond, 1); p.rows > 2*before {
		t.Errorf("one cheap slice makes %d rows of %d", p.rows, before)
	}
	if cost(time.Nanosecond, 50); p.rows != mostRows {
		t.Errorf("when rows cost nothing a slice has %d", p.rows)
	}
	if p.took(0, time.Second); p.rows != mostRows {
		t.Errorf("a slice of nothing is taken for %d rows", p.rows)
	}
}
