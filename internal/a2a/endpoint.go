package a2a

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
)

// The dialects and bindings an endpoint may have.
const (
	v1      = "1.0"
	v03     = "0.3"
	jsonRPC = "JSONRPC"
	rest    = "HTTP+JSON"
)

// endpoint is where and how an agent is spoken to.
type endpoint struct {
	version string
	binding string
	url     string
	class   netguard.Class
	stored  string // host:port the operator stored, for class Operator
}

// speak returns the dialect of e.
func (e endpoint) speak() dialect {
	if e.version == v1 {
		return speaker1{e}
	}
	return speaker03{e}
}

// spoken reports whether a binding is one of ours.
func spoken(binding string) bool { return binding == jsonRPC || binding == rest }

// target returns a context whose requests may go to e.
func (e endpoint) target(ctx context.Context) context.Context {
	return netguard.WithTarget(ctx, netguard.Target{Class: e.class, Host: e.stored})
}

// client returns an HTTP client for one short question to e, which reads at
// most maxReply bytes.
func (e endpoint) client(g Guard) *http.Client { return recording(g.Client(e.class), maxReply) }

// sender returns one for a send: many agents answer when their model is done.
func (e endpoint) sender(g Guard) *http.Client { return recording(g.PatientClient(e.class), maxReply) }

// handle is what has to be stored to find a task again.
func (e endpoint) handle(taskID string) string {
	return strings.Join([]string{"a2a", e.version, e.binding, url.QueryEscape(taskID), e.url}, " ")
}

// parseHandle reads what handle wrote. The class follows from the agent as it
// is stored now.
func parseHandle(handle string, a molecule.Agent) (endpoint, string, error) {
	f := strings.Split(handle, " ")
	if len(f) != 5 || f[0] != "a2a" || f[1] != v1 && f[1] != v03 || !spoken(f[2]) {
		return endpoint{}, "", fmt.Errorf("%q is not a handle", handle)
	}
	taskID, err := url.QueryUnescape(f[3])
	if err != nil || taskID == "" {
		return endpoint{}, "", fmt.Errorf("%q names no task", handle)
	}
	e := endpoint{version: f[1], binding: f[2], url: f[4]}
	e.class, e.stored = classOf(a, e.url)
	return e, taskID, nil
}

// classOf says what raw, which a card or the operator wrote, may point at. Only
// the host and port that an operator, or what started the agent, stored are theirs.
func classOf(a molecule.Agent, raw string) (netguard.Class, string) {
	if a.URLOwner == molecule.URLOwnerOperator || a.URLOwner == molecule.URLOwnerProvisioner {
		stored, serr := url.Parse(a.URL)
		asked, aerr := url.Parse(raw)
		if serr == nil && aerr == nil {
			host := netguard.HostPort(stored)
			if netguard.SameHostPort(host, netguard.HostPort(asked)) {
				return netguard.Operator, host
			}
		}
	}
	return netguard.Agent, ""
}
