package sink

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"unicode"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// maxQuoted bounds what is quoted of a text from outside.
const maxQuoted = 300

// Quote returns what a sink said, fit for an error: short, in one line, and
// without the values of c in any of their usual forms.
func Quote(text string, c Change) string {
	for _, value := range []molecule.Secret{c.Old, c.New, c.Credential} {
		for _, form := range forms(value.Reveal()) {
			text = strings.ReplaceAll(text, form, "[sealed]")
		}
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(text, " "))
	return molecule.Excerpt(strings.Join(strings.Fields(text), " "), maxQuoted)
}

// forms returns how a value may be written; none for an empty one.
func forms(value string) []string {
	if value == "" {
		return nil
	}
	all := []string{value, url.QueryEscape(value), url.PathEscape(value), hex.EncodeToString([]byte(value))}
	if quoted, err := json.Marshal(value); err == nil {
		all = append(all, string(quoted[1:len(quoted)-1]))
	}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		all = append(all, e.EncodeToString([]byte(value)))
	}
	return all
}
