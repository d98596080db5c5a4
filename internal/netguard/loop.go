package netguard

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// RefuseLoops answers 508 to a request that carries our own instance id, and
// hands all others to next. It catches what no address shows: a way back to us
// through a proxy or a public address. An empty id refuses nobody.
func RefuseLoops(instanceID string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if instanceID == "" || !slices.Contains(r.Header[wire.HeaderInstance], instanceID) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", wire.TypeJSON)
		w.WriteHeader(http.StatusLoopDetected)
		err := molecule.Errorf(molecule.Conflict, "this daemon called itself").
			WithHint("an agent has the URL of the daemon: give it its own")
		_ = json.NewEncoder(w).Encode(wire.EncodeError(err)) // nobody is left to tell
	})
}
