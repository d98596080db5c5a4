package secretmap

import (
	"fmt"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/textfile"
)

// Markdown returns the map as a table of Markdown: a row for each secret, its
// copies in the order they are written.
func Markdown(m molecule.SecretMap) string {
	var b strings.Builder
	b.WriteString("| secret | class | overlap | changed | owner | copies |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, s := range m.All() {
		var copies []string
		for i, k := range s.Sinks {
			copies = append(copies, fmt.Sprintf("%d. %s", i+1, k.At(s.Name)))
		}
		row := []string{s.Name, string(s.Class), string(s.Overlap), WhenText(s), s.Owner, strings.Join(copies, "<br>")}
		for i, cell := range row {
			row[i] = strings.ReplaceAll(textfile.Printable(cell), "|", `\|`)
		}
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	return b.String()
}

// Dot returns the map as a graph: what is made of what, and which copies are
// where, numbered in the order they are written.
func Dot(m molecule.SecretMap) string {
	var b strings.Builder
	b.WriteString("digraph secrets {\n  rankdir=LR;\n")
	for _, s := range m.All() {
		fmt.Fprintf(&b, "  %s [shape=box];\n", dotted(s.Name))
		for _, n := range Needs(s) {
			fmt.Fprintf(&b, "  %s -> %s [style=dashed];\n", dotted(n), dotted(s.Name))
		}
		for i, k := range s.Sinks {
			fmt.Fprintf(&b, "  %s -> %s [label=%d];\n", dotted(s.Name), dotted(k.Place()), i+1)
		}
	}
	b.WriteString("}\n")
	return b.String()
}

// dotted writes a name in a graph.
func dotted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(textfile.Printable(s)) + `"`
}
