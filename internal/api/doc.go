// Package api is the daemon's face over HTTP: /v1, the health endpoints and
// the event stream.
//
// Every route stands in the one table of routes.go and declares there who may
// use it. Handlers parse, call one method of a service and write; the order of
// everything before them is fixed in handler.go. The package decides nothing
// else and knows the services only by their interfaces.
package api
