package molecule

import "slices"

// Lineage is an agent and who is above it: its parent first, the root last.
type Lineage struct {
	ID        string
	Ancestors []string
}

// parent returns the id of the parent; "" of a root.
func (l Lineage) parent() string {
	if len(l.Ancestors) == 0 {
		return ""
	}
	return l.Ancestors[0]
}

// MayTalk reports whether two agents may talk to each other: with themselves,
// with who has the same parent, as all roots have, and up and down their own
// line at any distance.
func (l Lineage) MayTalk(o Lineage) bool {
	return l.ID == o.ID ||
		l.parent() == o.parent() ||
		slices.Contains(l.Ancestors, o.ID) ||
		slices.Contains(o.Ancestors, l.ID)
}
