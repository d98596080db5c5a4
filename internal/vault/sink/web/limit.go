package web

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// spent reports whether a 403 is about how often we asked, and not about who
// asks: GitHub says it so.
func spent(h http.Header) bool {
	return h.Get("Retry-After") != "" || h.Get("X-Ratelimit-Remaining") == "0"
}

// again is the hint of when to ask again, as far as the answer says it.
func again(h http.Header, now time.Time) string {
	const later = "try again later"
	if s, err := strconv.Atoi(h.Get("Retry-After")); err == nil && s > 0 {
		return fmt.Sprintf("try again in %s", time.Duration(s)*time.Second)
	}
	if at, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64); err == nil && at > now.Unix() {
		return fmt.Sprintf("try again behind %s", time.Unix(at, 0).UTC().Format(time.RFC3339))
	}
	return later
}
