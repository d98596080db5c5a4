package a2a

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Places of a card, the second one of 0.3 agents that are older.
const (
	cardPath    = "/.well-known/agent-card.json"
	oldCardPath = "/.well-known/agent.json"
)

// headerVersion says which A2A a request speaks; without it an agent of 1.0
// assumes 0.3.
const headerVersion = "A2A-Version"

// card is what we read of an agent card of either dialect.
type card struct {
	SupportedInterfaces []struct {
		URL             string `json:"url"`
		ProtocolBinding string `json:"protocolBinding"`
		ProtocolVersion string `json:"protocolVersion"`
	} `json:"supportedInterfaces"`

	URL                  string `json:"url"`
	PreferredTransport   string `json:"preferredTransport"`
	AdditionalInterfaces []struct {
		URL       string `json:"url"`
		Transport string `json:"transport"`
	} `json:"additionalInterfaces"`
}

// endpoint returns where and how to speak to a, from memory or from its card.
// An agent without a card is spoken to in 0.3 at its URL. A reply is why that
// could not be found out.
func (c *Client) endpoint(ctx context.Context, a molecule.Agent) (endpoint, *molecule.Reply) {
	c.mu.Lock()
	ep, ok := c.known[memory(a)]
	c.mu.Unlock()
	if ok {
		return ep, nil
	}
	found, failed := c.fetchCard(ctx, a)
	if failed != nil {
		return endpoint{}, failed
	}
	ep, failed = c.choose(a, found)
	if failed != nil {
		return endpoint{}, failed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxRemember {
		clear(c.known)
	}
	c.known[memory(a)] = ep
	return ep, nil
}

// memory is the key an agent is remembered by: a new URL is a new agent.
func memory(a molecule.Agent) string { return a.ID + " " + string(a.URLOwner) + " " + a.URL }

func (c *Client) forget(a molecule.Agent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, memory(a))
}

// fetchCard returns the first card that parses, nil when the agent serves none,
// or a reply when nothing can be reached at all.
func (c *Client) fetchCard(ctx context.Context, a molecule.Agent) (*card, *molecule.Reply) {
	for _, at := range cardURLs(a.URL) {
		x := c.get(ctx, a, at)
		switch {
		case x.failure == molecule.FailUnsafe, x.failure == molecule.FailUnreachable, ctx.Err() != nil:
			r := x.reply()
			return nil, &r
		case x.failure == molecule.FailTooLarge:
			continue
		case x.failure != "":
			return nil, nil // it is there and says nothing of itself: ask it directly
		case x.status != http.StatusOK:
			continue
		}
		var found card
		if json.Unmarshal(x.body, &found) == nil && (found.URL != "" || len(found.SupportedInterfaces) > 0) {
			return &found, nil
		}
	}
	return nil, nil
}

// cardURLs are the places to look for a card: below the URL, then at its origin.
func cardURLs(raw string) []string {
	raw, _, _ = strings.Cut(raw, "?")
	base := strings.TrimRight(raw, "/")
	all := []string{base + cardPath}
	if u, err := url.Parse(raw); err == nil {
		origin := u.Scheme + "://" + u.Host
		if origin != base {
			all = append(all, origin+cardPath)
		}
		all = append(all, origin+oldCardPath)
	}
	return all
}

// get fetches a URL of the agent's own host.
func (c *Client) get(ctx context.Context, a molecule.Agent, raw string) *exchange {
	ep := endpoint{url: raw}
	ep.class, ep.stored = classOf(a, raw)
	req, err := http.NewRequestWithContext(ep.target(ctx), http.MethodGet, raw, nil)
	if err != nil {
		return &exchange{failure: molecule.FailUnsafe, detail: "its URL does not parse"}
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set(headerVersion, v1)
	return perform(c.guard.Client(ep.class), req, maxCard)
}

// probe reports whether the agent answers anything at all at its card.
func (c *Client) probe(ctx context.Context, a molecule.Agent) bool {
	return c.get(ctx, a, cardURLs(a.URL)[0]).status != 0
}

// choose picks the interface to speak to: 1.x, else 0.3, else the URL itself.
func (c *Client) choose(a molecule.Agent, found *card) (endpoint, *molecule.Reply) {
	ep := endpoint{version: v03, binding: jsonRPC, url: a.URL}
	if found != nil {
		var ok bool
		if ep, ok = found.pick(); !ok {
			return ep, &molecule.Reply{Failure: molecule.FailShape, Answered: true, Detail: "its card offers no interface that is spoken here"}
		}
	}
	ep.class, ep.stored = classOf(a, ep.url)
	if ep.stored != "" {
		return ep, nil
	}
	if _, err := c.guard.CheckURL(ep.url); err != nil {
		return ep, &molecule.Reply{Failure: molecule.FailUnsafe, Detail: err.Error()}
	}
	return ep, nil
}

// pick returns the best interface of a card.
func (k card) pick() (endpoint, bool) {
	for _, v := range []struct{ prefix, version string }{{"1.", v1}, {"0.3.", v03}} {
		for _, i := range k.SupportedInterfaces {
			if spoken(i.ProtocolBinding) && strings.HasPrefix(i.ProtocolVersion+".", v.prefix) {
				return endpoint{version: v.version, binding: i.ProtocolBinding, url: i.URL}, true
			}
		}
	}
	return k.pick03()
}

// pick03 returns the best interface of what only 0.3 has in a card.
func (k card) pick03() (endpoint, bool) {
	preferred := cmp.Or(k.PreferredTransport, jsonRPC) // the default of 0.3
	if k.URL != "" && spoken(preferred) {
		return endpoint{version: v03, binding: preferred, url: k.URL}, true
	}
	for _, i := range k.AdditionalInterfaces {
		if spoken(i.Transport) {
			return endpoint{version: v03, binding: i.Transport, url: i.URL}, true
		}
	}
	return endpoint{}, false
}
