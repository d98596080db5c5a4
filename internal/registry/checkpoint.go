package registry

import (
	"context"
	"encoding/binary"
	"math"
	"time"
)

// A checkpoint is what is known of agents, one behind the other: the length of
// the id, the id, and a record of recordBytes. It begins with its version; one
// that cannot be read to its end is good for what comes before.
const (
	checkpointVersion = 1
	recordBytes       = 8 + 2 + 1 + 4 + 1
)

// What is kept of an agent in one bit each.
const (
	bitImpaired = 1 << iota
	bitErring
	bitWedged
	bitVouched
	bitCovered
	bitFlapping
)

// keep stores a checkpoint, unless there is nothing to tell. It also shows
// whether the store hangs, so it is written when nothing changed as well.
func (m *Monitor) keep(ctx context.Context) error {
	at := time.Now()
	body := m.pack(at)
	if len(body) == 1 {
		return nil
	}
	m.packed = len(body)
	return m.Store.SaveCheckpoint(ctx, at, body)
}

// pack writes what is known of every agent of which anything is.
func (m *Monitor) pack(at time.Time) []byte {
	m.judging.Lock()
	defer m.judging.Unlock()
	now := m.clock.at(at)
	body := make([]byte, 1, m.packed+1024)
	body[0] = checkpointVersion
	m.pulses.each(func(w *ward) { body = w.pack(body, now, m.bits(w)) })
	return body
}

// bits are the flags of a ward that whoever judges knows.
func (m *Monitor) bits(w *ward) (bits byte) {
	if w.vouched {
		bits |= bitVouched
	}
	if w.flaps.open {
		bits |= bitFlapping
	}
	if _, covered := m.mass.covered[w]; covered {
		bits |= bitCovered
	}
	return bits
}

// pack appends the record of w; nothing when nothing is known.
func (w *ward) pack(body []byte, now int64, bits byte) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	score := w.flaps.now(now)
	if w.seen == 0 && bits == 0 && score < 0.1 || len(w.id) > math.MaxUint8 {
		return body
	}
	if w.impaired {
		bits |= bitImpaired
	}
	if w.vitals != nil && w.vitals.erring {
		bits |= bitErring
	}
	if w.vitals != nil && w.vitals.wedged {
		bits |= bitWedged
	}
	body = append(body, byte(len(w.id)))
	body = append(body, w.id...)
	body = binary.LittleEndian.AppendUint64(body, uint64(w.seen))
	body = binary.LittleEndian.AppendUint16(body, uint16(w.gap()/gapUnit))
	body = append(body, w.asked)
	body = binary.LittleEndian.AppendUint32(body, math.Float32bits(score))
	return append(body, bits)
}

// recall reads a checkpoint of an earlier process into the agents there are.
// Call it with judging held.
func (m *Monitor) recall(at time.Time, body []byte) {
	if len(body) == 0 || body[0] != checkpointVersion {
		return
	}
	for body = body[1:]; len(body) > 0; {
		n := int(body[0])
		if len(body) < 1+n+recordBytes {
			return
		}
		m.list.RLock()
		w := m.wards[string(body[1:1+n])]
		m.list.RUnlock()
		if w != nil {
			m.restore(w, at, body[1+n:])
		}
		body = body[1+n+recordBytes:]
	}
}

// restore reads one record.
func (m *Monitor) restore(w *ward, at time.Time, r []byte) {
	bits := r[15]
	score := math.Float32frombits(binary.LittleEndian.Uint32(r[11:]))
	w.flaps = flaps{score: max(score, 0), open: bits&bitFlapping != 0}
	w.vouched = bits&bitVouched != 0
	if bits&bitCovered != 0 {
		m.mass.covered[w] = struct{}{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := int64(binary.LittleEndian.Uint64(r))
	if w.heardAt == 0 && seen > 0 {
		w.setSince(-int64(max(at.Sub(time.UnixMilli(seen)), 0)))
	}
	w.seen = max(w.seen, seen)
	w.gaps[keptGaps-1] = binary.LittleEndian.Uint16(r[8:]) // of the eight the longest
	w.asked = max(w.asked, r[10])
	if w.vitals == nil {
		w.impaired = bits&bitImpaired != 0
		if bits&(bitErring|bitWedged) != 0 {
			w.vitals = &vitals{erring: bits&bitErring != 0, wedged: bits&bitWedged != 0}
		}
	}
}
