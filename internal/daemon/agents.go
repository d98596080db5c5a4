package daemon

import (
	"context"
	"net/http"
	"time"

	"github.com/molecule-ai/molecli/internal/api"
	"github.com/molecule-ai/molecli/internal/auth"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/platform"
)

// minter gives the registry the tokens of the daemon, and a way to new ones.
type minter struct{ *auth.Tokens }

// Mint makes a token; see [auth.Mint].
func (minter) Mint(kind, name string, scopes []molecule.Scope, now, expires time.Time) (molecule.Token, molecule.Secret, error) {
	return auth.Mint(kind, name, scopes, now, expires)
}

// newAgentFace makes the face that agents see.
func (d *Daemon) newAgentFace(authn *auth.Authenticator) *platform.Face {
	return platform.New(platform.Deps{
		Directory: d.services.agents, Inbox: d.inbox, Runs: d.services.schedules, Watch: d.monitor,
		Events: d.relay, EventBefore: d.store.EventBefore, Forward: d.push, OverBudget: d.overBudget,
		Authenticate: authn.Authenticate, Changed: d.tokens.Changed,
	})
}

// overBudget says why an agent may not be asked for more; "" when it may.
func (d *Daemon) overBudget(ctx context.Context, a molecule.Agent) (string, error) {
	if a.Budget.Runs == 0 && a.Budget.Tokens == 0 && a.Budget.CostUSD == 0 {
		return "", nil
	}
	spent, err := d.store.Spent(ctx, "", a.ID, molecule.Now().Add(-a.Budget.Span()), nil)
	return a.Budget.Exhausted(spent), err
}

// rowsOf puts the rows of the platform wire into the one table of routes.
func rowsOf(f *platform.Face) []api.Route {
	var rows []api.Route
	for _, rt := range f.Routes() {
		row := api.Route{
			Method: rt.Method, Path: rt.Path, Admit: api.AdmitKnown, Fail: f.Fail,
			Patient: rt.Special == platform.Patient, Apart: rt.Special == platform.Apart,
			Handle: func(w http.ResponseWriter, r *http.Request, accepted time.Time) error {
				return f.Serve(rt, w, r, accepted)
			},
		}
		switch {
		case rt.Policy.Open():
			row.Admit = api.AdmitRegistrant
		case rt.Policy.Gone():
			row.Admit = api.AdmitDeparted
		}
		rows = append(rows, row)
	}
	return rows
}
