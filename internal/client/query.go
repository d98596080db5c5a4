package client

import (
	"net/url"
	"strconv"
	"time"
)

// query collects what is set of a filter.
type query url.Values

func (q query) text(key, value string) {
	if value != "" {
		url.Values(q).Add(key, value)
	}
}

func (q query) instant(key string, value time.Time) {
	if !value.IsZero() {
		q.text(key, value.UTC().Format(time.RFC3339Nano))
	}
}

func (q query) number(key string, value int64) {
	if value != 0 {
		url.Values(q).Set(key, strconv.FormatInt(value, 10))
	}
}

func (q query) flag(key string, value bool) {
	if value {
		url.Values(q).Set(key, "true")
	}
}
