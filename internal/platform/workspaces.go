package platform

import (
	"net/http"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// workspaces lists every agent to an operator, and to an agent those it may talk
// to.
func (f *Face) workspaces(w http.ResponseWriter, c call) error {
	all, err := f.Directory.Members(c.Context())
	if err != nil {
		return err
	}
	sees := seenBy(c.by, all)
	views := []workspaceView{}
	for _, a := range all {
		if sees(a.ID) {
			views = append(views, viewWorkspace(a))
		}
	}
	return write(w, http.StatusOK, views)
}

// seenBy returns which of all agents a principal may know of.
func seenBy(p molecule.Principal, all []molecule.Agent) func(id string) bool {
	if p.AgentID == "" {
		return func(string) bool { return true }
	}
	parents := make(map[string]string, len(all))
	for _, a := range all {
		parents[a.ID] = a.ParentID
	}
	line := func(id string) molecule.Lineage {
		l := molecule.Lineage{ID: id}
		for up := parents[id]; up != "" && len(l.Ancestors) < len(all); up = parents[up] {
			l.Ancestors = append(l.Ancestors, up)
		}
		return l
	}
	own := line(p.AgentID)
	return func(id string) bool {
		_, there := parents[id]
		return there && own.MayTalk(line(id))
	}
}

func (f *Face) workspace(w http.ResponseWriter, c call) error {
	if !molecule.IsID(c.id) {
		return notFound()
	}
	a, err := f.Directory.Member(c.Context(), c.id)
	if err != nil {
		if molecule.CodeOf(err) == molecule.NotFound {
			return notFound()
		}
		return err
	}
	if !a.RemovedAt.IsZero() {
		return removed(a)
	}
	return write(w, http.StatusOK, viewWorkspace(a))
}

// removed is the answer for an agent that was removed.
func removed(a molecule.Agent) error {
	r := refuse(http.StatusGone, "workspace removed")
	r.body = struct {
		Error     string `json:"error"`
		RemovedAt string `json:"removed_at"`
	}{r.err.Message, stamp(a.RemovedAt)}
	return r
}

// state is asked by clients that want to know whether to go on.
func (f *Face) state(w http.ResponseWriter, c call) error {
	a, err := f.present(c, c.id)
	if molecule.CodeOf(err) == molecule.NotFound {
		return write(w, http.StatusNotFound, struct {
			ID      string `json:"workspace_id"`
			Deleted bool   `json:"deleted"`
		}{c.id, true})
	}
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, struct {
		ID      string `json:"workspace_id"`
		Status  string `json:"status"`
		Paused  bool   `json:"paused"`
		Deleted bool   `json:"deleted"`
	}{a.ID, statusOf(a), a.State == molecule.AgentPaused, false})
}
