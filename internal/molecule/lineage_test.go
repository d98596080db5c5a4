package molecule

import (
	"testing"

	"pgregory.net/rapid"
)

func TestMayTalk_goesByParentAndLine(t *testing.T) {
	t.Parallel()
	// root ─┬─ left ─┬─ a ── deep      other
	//       │        └─ b
	//       └─ right ── c
	parents := map[string]string{
		"left": "root", "right": "root", "a": "left", "b": "left", "c": "right", "deep": "a",
	}
	tests := []struct {
		name, one, two string
		want           bool
	}{
		{"with itself", "a", "a", true},
		{"a root with itself", "root", "root", true},
		{"children of one parent", "a", "b", true},
		{"roots", "root", "other", true},
		{"a parent and its child", "left", "a", true},
		{"a root and a grandchild", "root", "a", true},
		{"a root and who is three below", "root", "deep", true},
		{"cousins", "a", "c", false},
		{"an uncle and a nephew", "right", "a", false},
		{"a child and another root", "left", "other", false},
		{"a nephew two below", "b", "deep", false},
	}
	for _, tt := range tests {
		one, two := lineageOf(parents, tt.one), lineageOf(parents, tt.two)
		if got := one.MayTalk(two); got != tt.want {
			t.Errorf("%s: %s may talk to %s: %v, want %v", tt.name, tt.one, tt.two, got, tt.want)
		}
		if got := two.MayTalk(one); got != tt.want {
			t.Errorf("%s: %s may talk to %s: %v, want %v", tt.name, tt.two, tt.one, got, tt.want)
		}
	}
}

// lineageOf walks up in a table of parents.
func lineageOf(parents map[string]string, id string) Lineage {
	l := Lineage{ID: id}
	for up := parents[id]; up != ""; up = parents[up] {
		l.Ancestors = append(l.Ancestors, up)
	}
	return l
}

// TestMayTalk_isWhatATreeSays compares the rule with paths through random trees:
// the way up from one and down to the other may turn nowhere, or turn once with
// one step on each side.
func TestMayTalk_isWhatATreeSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
		parents := map[string]string{}
		for i, name := range names {
			// Only who came earlier may be above, so that nothing goes round.
			if up := rapid.IntRange(-1, i-1).Draw(t, "parent of "+name); up >= 0 {
				parents[name] = names[up]
			}
		}
		one, two := rapid.SampledFrom(names).Draw(t, "one"), rapid.SampledFrom(names).Draw(t, "two")
		up, down := stepsToMeet(parents, one, two)
		want := up == 0 || down == 0 || up == 1 && down == 1
		if got := lineageOf(parents, one).MayTalk(lineageOf(parents, two)); got != want {
			t.Fatalf("%s and %s in %v: %v, want %v (%d up, %d down)", one, two, parents, got, want, up, down)
		}
	})
}

// stepsToMeet returns how many steps up from each of two lead to the nearest
// place above both; all roots are one step below such a place.
func stepsToMeet(parents map[string]string, one, two string) (up, down int) {
	const top = "top"
	steps := map[string]int{}
	climb := func(from string, visit func(at string, n int) bool) {
		for n, at := 0, from; ; n++ {
			if visit(at, n) || at == top {
				return
			}
			if next := parents[at]; next != "" {
				at = next
			} else {
				at = top
			}
		}
	}
	climb(one, func(at string, n int) bool { steps[at] = n; return false })
	climb(two, func(at string, n int) bool {
		met, ok := steps[at]
		if ok {
			up, down = met, n
		}
		return ok
	})
	return up, down
}
