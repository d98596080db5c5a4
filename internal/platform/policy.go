package platform

import (
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// Policy says who may use a row: the agent that the row names, or an operator
// who has the scope. It has no usable zero value: its judge is nil.
type Policy struct {
	scope molecule.Scope
	named func(c call) (id string, err error) // nil: no agent is named before the body is read
	open  bool                                // also who presents nothing
	gone  bool                                // also the agent itself when it was removed
}

// inPath is for the agent in the path.
func inPath(s molecule.Scope) Policy {
	return Policy{scope: s, named: func(c call) (string, error) { return c.id, nil }}
}

// inPathOrGone is inPath, and tells an agent that was removed so.
func inPathOrGone(s molecule.Scope) Policy {
	p := inPath(s)
	p.gone = true
	return p
}

// inHeader is for the agent in X-Workspace-ID.
func inHeader(s molecule.Scope) Policy {
	return Policy{scope: s, named: func(c call) (string, error) {
		id := c.Header.Get(wire.HeaderWorkspace)
		if id == "" {
			return "", molecule.Errorf(molecule.Invalid, "X-Workspace-ID header is required")
		}
		return strings.ToLower(id), nil
	}}
}

// inBody is for the agent that the body names; read judges it, see [read].
func inBody(s molecule.Scope) Policy { return Policy{scope: s} }

// member is for any agent of the organisation.
func member(s molecule.Scope) Policy {
	return Policy{scope: s, named: func(c call) (string, error) { return c.by.AgentID, nil }}
}

// registrant is for whoever registers.
func registrant() Policy { return Policy{open: true} }

// Open reports whether a row is also for who presents nothing.
func (p Policy) Open() bool { return p.open }

// Gone reports whether a row also tells an agent that was removed so.
func (p Policy) Gone() bool { return p.gone }

// judge refuses whom the policy is not for.
func (p Policy) judge(c call) error {
	if p.named == nil {
		return nil
	}
	id, err := p.named(c)
	if err != nil {
		return err
	}
	if p.gone && c.by.AgentID == id && len(c.by.Scopes) == 0 {
		return nil
	}
	return mayActFor(c, id, p.scope)
}

// mayActFor refuses a call on behalf of somebody else.
func mayActFor(c call, id string, s molecule.Scope) error {
	if c.by.MayActFor(id, s) {
		return nil
	}
	if c.by.AgentID != "" {
		return molecule.Errorf(molecule.Forbidden, "this is the token of another workspace")
	}
	return molecule.Errorf(molecule.Forbidden, "%s may not do this: it lacks the scope %s", c.by.Name, s)
}
