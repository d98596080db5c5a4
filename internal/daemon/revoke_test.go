package daemon

import (
	"context"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// TestRevoke_endsAStreamThatIsOpen reads events over TCP, and takes the token away
// once the first has come: before the next there is an end.
func TestRevoke_endsAStreamThatIsOpen(t *testing.T) {
	t.Parallel()
	r := serve(t, overTCP)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // a stream that goes on is waited for no longer
	defer cancel()
	socket, err := client.New(client.Options{Endpoint: r.Addr("unix")})
	if err != nil {
		t.Fatal(err)
	}
	reader := molecule.NewToken{Name: "reader", Scopes: []molecule.Scope{molecule.ScopeSchedulesRead}}
	if err := socket.CreateToken(ctx, &reader); err != nil {
		t.Fatal(err)
	}
	far, err := client.New(client.Options{Endpoint: r.Addr("tcp"), Org: "acme", Token: molecule.NewSecret(reader.Token.Reveal())})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, err = range far.WatchEvents(ctx, molecule.EventFilter{}) {
		if err != nil {
			break
		}
		if seen++; seen > 1 {
			continue // what was on its way
		}
		if _, err := socket.RevokeToken(ctx, reader.ID); err != nil {
			t.Fatal(err)
		}
	}
	if seen == 0 || molecule.CodeOf(err) != molecule.Unauthenticated {
		t.Errorf("after %d events it ended with %v, want that the token is no longer good", seen, err)
	}
}
