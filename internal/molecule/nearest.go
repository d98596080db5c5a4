package molecule

import "strings"

// Nearest returns the candidate that is most likely meant by word, or "" when
// none is near: more than a third of the letters, and at least two, or more than
// half of a short word would have to change. Case does not count.
func Nearest(word string, candidates []string) string {
	best, bestCost := "", min(max(2, len(word)/3), len(word)/2)+1
	for _, c := range candidates {
		if cost := distance(strings.ToLower(word), strings.ToLower(c)); cost < bestCost {
			best, bestCost = c, cost
		}
	}
	return best
}

// distance is Levenshtein's: the fewest insertions, deletions and replacements
// that turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
