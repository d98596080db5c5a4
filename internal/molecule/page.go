package molecule

// Page is one page of a list. Next, when not empty, is the cursor of the page
// behind it.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// Bounds of a list request. Zero asks for DefaultLimit.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// ClampLimit returns how many rows a request for n rows is given.
func ClampLimit(n int) int {
	if n <= 0 {
		return DefaultLimit
	}
	return min(n, MaxLimit)
}
