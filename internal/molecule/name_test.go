package molecule

import (
	"regexp"
	"strings"
	"testing"
)

func TestValidateName_isTheDocumentedShape(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	words := []string{
		"", "a", "Z9", "9", "a.b_c-d", ".a", "-a", "_a", "a b", "a/b", "a\n", "é", "a@b", "a:b", "a[b", "a`b", "a{b",
		strings.Repeat("x", 64), strings.Repeat("x", 65),
	}
	for c := range 256 {
		words = append(words, string([]byte{byte(c)}), string([]byte{'a', byte(c)}))
	}
	for _, word := range words {
		if got, want := ValidateName("agent", word) == nil, shape.MatchString(word); got != want {
			t.Errorf("%q: valid is %t, want %t", word, got, want)
		}
	}
}

func TestValidateOrgID_mayBeTwiceAsLong(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]bool{0: false, 1: true, 128: true, 129: false} {
		if got := ValidateOrgID(strings.Repeat("x", n)) == nil; got != want {
			t.Errorf("%d letters: valid is %t, want %t", n, got, want)
		}
	}
}

func TestIsID_takesWholeIdsOnly(t *testing.T) {
	t.Parallel()
	const id = "01a20a9b-476b-7661-8094-12d031f879a1"
	tests := map[string]bool{
		id: true, "": false, id[:35]: false, id + "0": false,
		"01A20A9B-476B-7661-8094-12D031F879A1": false,
		"01a20a9b0476b-7661-8094-12d031f879a1": false,
		"01a20a9b-476b-7661-8094-12d031f879ag": false,
		"-1a20a9b-476b-7661-8094-12d031f879a1": false,
	}
	for s, want := range tests {
		if got := IsID(s); got != want {
			t.Errorf("IsID(%q) = %v", s, got)
		}
	}
	if err := ValidateName("agent", id); CodeOf(err) != Invalid {
		t.Errorf("a name in the form of an id: %v", err)
	}
}
