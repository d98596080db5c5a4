package postgres

import (
	"slices"

	"github.com/molecule-ai/molecli/internal/vault/sink"
)

// seen is a role as it was found.
type seen struct {
	name    string
	holds   sink.Holds // nothing, old, new or other
	warning string
}

// sight is all roles of a sink, in the order of its target.
type sight []seen

// with returns the first role that holds something; -1 for none.
func (s sight) with(h sink.Holds) int {
	return slices.IndexFunc(s, func(r seen) bool { return r.holds == h })
}

// free returns the role that the new value goes to: of two the one that is not
// in use.
func (s sight) free() int {
	if len(s) == 2 && s[0].holds == sink.HoldsOld {
		return 1
	}
	return 0
}

// state says what the roles hold together.
func (s sight) state(c sink.Change) sink.State {
	var out sink.State
	for _, r := range s {
		if r.warning != "" {
			out.Warning = r.warning
		}
	}
	isNew, isOld, isOther := s.with(sink.HoldsNew), s.with(sink.HoldsOld), s.with(sink.HoldsOther)
	switch {
	case isNew >= 0:
		out.Holds, out.User = sink.HoldsNew, s[isNew].name
		if isOld >= 0 {
			out.Holds = sink.HoldsBoth
		}
	case isOther >= 0:
		out.Holds = sink.HoldsOther
	case isOld >= 0:
		out.Holds, out.User = sink.HoldsOld, s[isOld].name
	default:
		out.Holds = sink.HoldsNothing
	}
	return out
}
