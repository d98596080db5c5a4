package tenant

import (
	"io"
	"net/http"
	"strconv"

	"github.com/molecule-ai/molecli/internal/wire"
)

// NotFound is the ordinary 404. The guard and every unknown path answer with
// it, so that one cannot be told from the other. It leaves the body of the
// request alone: how much of it was read shows in how the connection ends.
func NotFound(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", wire.TypeJSON)
	h.Set("Content-Length", strconv.Itoa(len(wire.NotFoundBody)))
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, wire.NotFoundBody) // whoever asked has gone; for HEAD net/http drops it
}
