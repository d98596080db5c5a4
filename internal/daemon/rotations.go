package daemon

import (
	"github.com/molecule-ai/molecli/internal/vault/rotation"
	"github.com/molecule-ai/molecli/internal/vault/sink/kinds"
)

// rotations makes what changes secrets where they live, and what asks for it.
func (d *Daemon) rotations() (*rotation.Keeper, *rotation.Service) {
	log := d.log.With("subsystem", "secret-rotator")
	engine := rotation.New(rotation.Options{
		Store: d.store, Vault: d.secrets, Open: kinds.Open, Network: d.guard, Prober: rotation.NewProber(d.guard), Log: log,
	})
	keeper := rotation.NewKeeper(engine, d.incidents, log)
	return keeper, rotation.NewService(engine, keeper.Kick)
}
