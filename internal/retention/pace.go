package retention

import "time"

const (
	// sliceAim is how long a slice should hold the writer on average, so that
	// hardly one holds it for a millisecond.
	sliceAim  = 400 * time.Microsecond
	firstRows = 8
	mostRows  = 1000
	// yield is how many times as long as a slice took the writer is left to others.
	yield = 3
)

// pace is how many rows of one kind make a slice, as measured.
type pace struct {
	rows int
	each time.Duration // what one row cost of late; 0: nobody knows
}

func newPace() *pace { return &pace{rows: firstRows} }

// took takes into account that n rows held the writer that long.
func (p *pace) took(n int, held time.Duration) {
	if n == 0 {
		return
	}
	each := held / time.Duration(n)
	if p.each > 0 {
		each = (3*p.each + each) / 4
	}
	p.each = each
	rows := mostRows
	if each > 0 {
		rows = int(sliceAim / each)
	}
	p.rows = min(max(rows, 1), 2*p.rows, mostRows)
}
