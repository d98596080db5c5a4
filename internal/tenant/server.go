package tenant

import (
	"net/http"
	"time"
)

// Bounds of what a server reads before the guard sees the request.
const (
	headerTimeout  = 10 * time.Second
	requestTimeout = time.Minute
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 64 << 10
)

// Harden sets what a server needs so that nothing but the guard's handler
// answers a well-formed request. Call it before Serve.
func Harden(s *http.Server) {
	s.DisableGeneralOptionsHandler = true
	s.MaxHeaderBytes = maxHeaderBytes
	s.ReadHeaderTimeout = headerTimeout
	s.ReadTimeout = requestTimeout
	s.WriteTimeout = 0
	s.IdleTimeout = idleTimeout

	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
}
