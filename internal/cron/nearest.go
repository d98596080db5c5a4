package cron

// maxWord bounds the words that are compared: no name is longer.
const maxWord = 40

// nearest returns the candidate that is the fewest typing errors from word, ""
// when each is more than limit away.
func nearest(word string, candidates []string, limit int) string {
	best, found := limit+1, ""
	for _, c := range candidates {
		if d := distance(word, c, best); d < best {
			best, found = d, c
		}
	}
	return found
}

// distance counts the typing errors between a and b: a wrong, a missing or a
// superfluous byte, or two that changed places. Case does not count. It gives
// up at limit, and therefore looks only beside the diagonal.
func distance(a, b string, limit int) int {
	if len(a) > maxWord || len(b) > maxWord || len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	var rows [3][maxWord + 1]int // the last three, in turn
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		older, old, row := &rows[(i+1)%3], &rows[(i+2)%3], &rows[i%3]
		from, to := max(i-limit, 1), min(i+limit, len(b))
		row[from-1] = i
		if to > i+limit-1 {
			old[to] = limit // beyond what the row before looked at
		}
		least := i
		for j := from; j <= to; j++ {
			wrong := 1
			if same(a[i-1], b[j-1]) {
				wrong = 0
			}
			row[j] = min(old[j]+1, row[j-1]+1, old[j-1]+wrong)
			if i > 1 && j > 1 && same(a[i-1], b[j-2]) && same(a[i-2], b[j-1]) {
				row[j] = min(row[j], older[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least >= limit {
			return limit
		}
	}
	return min(rows[len(a)%3][len(b)], limit)
}

// same reports whether two bytes are the same letter.
func same(a, b byte) bool {
	if a == b {
		return true
	}
	lower := a | 0x20
	return lower == b|0x20 && lower >= 'a' && lower <= 'z'
}
