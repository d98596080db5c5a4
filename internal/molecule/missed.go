package molecule

import (
	"fmt"
	"strings"
	"time"
)

// MissedMark is what a prompt says where it wants to be told which slots were
// missed.
const MissedMark = "{{missed}}"

// Missed is how many slots of a schedule were missed, and which. The zero Missed
// is none.
type Missed struct {
	Slots    int
	From, To time.Time // the first and the last of them
}

// And returns m with the slots of r, a row of outcome missed that comes later.
func (m Missed) And(r Run) Missed {
	if m.Slots == 0 {
		m.From = r.Slot
	}
	m.Slots += max(r.Slots, 1)
	m.To = r.Slot
	if !r.SlotTo.IsZero() {
		m.To = r.SlotTo
	}
	return m
}

// String says it in words.
func (m Missed) String() string {
	switch m.Slots {
	case 0:
		return "none"
	case 1:
		return "1 slot, " + m.From.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("%d slots from %s to %s", m.Slots, m.From.UTC().Format(time.RFC3339), m.To.UTC().Format(time.RFC3339))
}

// Tell returns a prompt in which m stands where it asks for it.
func (m Missed) Tell(prompt string) string { return strings.ReplaceAll(prompt, MissedMark, m.String()) }
