package daemon

import (
	"time"

	"github.com/molecule-ai/molecli/internal/auth"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// minter gives the registry the tokens of the daemon, and a way to new ones.
type minter struct{ *auth.Tokens }

// Mint makes a token; see [auth.Mint].
func (minter) Mint(kind, name string, scopes []molecule.Scope, now, expires time.Time) (molecule.Token, molecule.Secret, error) {
	return auth.Mint(kind, name, scopes, now, expires)
}
