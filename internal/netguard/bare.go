package netguard

import (
	"errors"
	"net/url"
)

// Bare returns err without the URL that net/http and net/url put into it. A
// token may stand in one: whatever a request or a URL failed with passes through
// here before it is shown, logged or kept.
func Bare(err error) error {
	for {
		e, ok := errors.AsType[*url.Error](err)
		if !ok {
			return err
		}
		err = e.Err
	}
}
