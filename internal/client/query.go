package client

import (
	"net/url"
	"strconv"
)

// query collects what is set of a filter.
type query url.Values

func (q query) text(key, value string) {
	if value != "" {
		url.Values(q).Add(key, value)
	}
}

func (q query) number(key string, value int64) {
	if value != 0 {
		url.Values(q).Set(key, strconv.FormatInt(value, 10))
	}
}
