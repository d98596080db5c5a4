package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
	"github.com/molecule-ai/molecli/internal/wire"
)

// healthWithin bounds asking one listener.
const healthWithin = 5 * time.Second

// unanswered says that there was nobody to ask. Its code is Unavailable.
type unanswered struct{ err *molecule.Error }

// Error names where somebody was asked, and why nobody answered.
func (u *unanswered) Error() string { return u.err.Error() }

// Unwrap returns the coded error.
func (u *unanswered) Unwrap() error { return u.err }

// CheckHealth asks the daemon that cfg is about whether it is ready. An error is
// Unavailable with the parts it waits for, as far as the caller may know them, or
// *unanswered when no listener of the configuration answers.
func CheckHealth(ctx context.Context, cfg Config) error {
	all, err := addresses(cfg.Listen)
	if err != nil {
		return err
	}
	var tried []string
	for _, a := range all {
		ok, waiting, err := a.ready(ctx)
		switch {
		case err != nil:
			if op, ok := errors.AsType[*net.OpError](err); ok {
				err = op.Err
			}
			tried = append(tried, fmt.Sprintf("%s (%v)", a, err))
		case ok:
			return nil
		case len(waiting) > 0:
			return molecule.Errorf(molecule.Unavailable, "moleculed at %s is not ready: it waits for %s", a, strings.Join(waiting, ", ")).
				WithHint("molecli liveness")
		default:
			return molecule.Errorf(molecule.Unavailable, "moleculed at %s is not ready", a).WithHint("molecli liveness")
		}
	}
	return &unanswered{molecule.Errorf(molecule.Unavailable, "nobody answers at %s", strings.Join(tried, ", ")).
		WithHint("moleculed serve, or systemctl status moleculed")}
}

// ready asks the listener at a whether the daemon is ready, and what it waits for
// if it is not.
func (a address) ready(ctx context.Context) (ok bool, waiting []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, healthWithin)
	defer cancel()
	there, err := netguard.Endpoint(a.String())
	if err != nil {
		return false, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, there.Base+wire.PathReady, nil)
	if err != nil {
		return false, nil, err
	}
	res, err := there.Client.Do(req)
	if err != nil {
		return false, nil, err
	}
	defer res.Body.Close()
	var says struct {
		Status     string   `json:"status"`
		Subsystems []string `json:"subsystems"`
	}
	err = json.NewDecoder(http.MaxBytesReader(nil, res.Body, wire.MaxBodyBytes)).Decode(&says)
	if err != nil || says.Status == "" {
		return false, nil, fmt.Errorf("%s answers %s, which is no answer of moleculed", a, res.Status)
	}
	return res.StatusCode == http.StatusOK, says.Subsystems, nil
}
