package schedulefile

import (
	"path"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// maxSlug bounds a name that is made of a text. It leaves room for a number.
const maxSlug = 48

// maxRead is how much of a text a name is made of.
const maxRead = 200

// nameOf returns a name for an entry, unlike those of the entries above: the
// comment above it, or else what its prompt begins with.
func (c *crontab) nameOf(prompt string) string {
	name := slug(c.comment)
	if name == "" {
		word, rest := cutWord(prompt)
		name = slug(path.Base(word) + " " + rest)
	}
	if name == "" {
		name = "line-" + decimal(c.line)
	}
	unique := name
	for n := 2; c.names[unique]; n++ {
		unique = name[:min(len(name), maxSlug)] + "-" + decimal(n)
	}
	c.names[unique] = true
	return unique
}

// slug returns text as a name: as it is when it is one, else in small letters
// with dashes for whatever no name has; "" when nothing is left.
func slug(text string) string {
	text = text[:min(len(text), maxRead)]
	if molecule.ValidateName("schedule", text) == nil {
		return text
	}
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '_':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name := strings.Trim(b.String(), "-._")
	if len(name) > maxSlug {
		name = name[:maxSlug]
		if at := strings.LastIndexByte(name, '-'); at > 0 {
			name = name[:at] // no half word
		}
		name = strings.TrimRight(name, "-._")
	}
	if molecule.ValidateName("schedule", name) != nil {
		return ""
	}
	return name
}
