package platform

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const defaultRows = 100

// activityQuery is what a client asks of an inbox.
type activityQuery struct {
	filter molecule.ActivityFilter
	wait   time.Duration
}

func readActivityQuery(c call) (activityQuery, error) {
	v := c.URL.Query() // a parameter that does not parse is absent
	q := activityQuery{filter: molecule.ActivityFilter{
		AgentID: c.id, Type: molecule.ActivityType(v.Get("type")), After: strings.ToLower(v.Get("since_id")), Limit: defaultRows,
		// Only what the agent itself takes is in its hands; HEAD takes nothing.
		HandOut: c.by.AgentID == c.id && c.Method == http.MethodGet,
	}}
	if q.filter.Type != "" && !q.filter.Type.Known() {
		return q, molecule.Errorf(molecule.Invalid, "invalid activity_type")
	}
	if s := v.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return q, molecule.Errorf(molecule.Invalid, "limit must be a whole number from 1 to %d", molecule.MaxActivities)
		}
		q.filter.Limit = min(n, molecule.MaxActivities)
	}
	if s := v.Get("wait"); s != "" {
		seconds, err := strconv.ParseFloat(s, 64)
		if err != nil || !(seconds >= 0) {
			return q, molecule.Errorf(molecule.Invalid, "wait must be a number of seconds")
		}
		q.wait = time.Duration(min(seconds, molecule.MaxActivityWait.Seconds()) * float64(time.Second))
	}
	return q, nil
}

// activity answers what is new for an agent, at once or, with wait, as soon as
// there is something.
func (f *Face) activity(w http.ResponseWriter, c call) error {
	q, err := readActivityQuery(c)
	if err != nil {
		return err
	}
	if c.by.AgentID == "" { // an operator may name anybody
		a, err := f.Directory.Member(c.Context(), c.id)
		switch {
		case !molecule.IsID(c.id), molecule.CodeOf(err) == molecule.NotFound:
			return notFound()
		case err != nil:
			return err
		case !a.RemovedAt.IsZero():
			return removed(a)
		}
	}
	all, err := f.await(c, q)
	if err != nil {
		return err
	}
	rows, err := f.rows(c, all)
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, rows)
}

// await returns the rows there are, and if there are none waits for some. It
// looks again who is asking whenever a token changes.
func (f *Face) await(c call, q activityQuery) ([]molecule.Activity, error) {
	over := time.NewTimer(q.wait)
	defer over.Stop()
	changed := f.Changed()
	if q.wait > 0 { // it may have been revoked before anybody would have told us
		if _, err := f.Authenticate(c.Request); err != nil {
			return nil, err
		}
	}
	for {
		arrived := f.Inbox.Arrivals(c.id)
		all, err := f.Inbox.Activities(c.Context(), q.filter)
		if err != nil || len(all) > 0 {
			return all, err
		}
		select {
		case <-arrived:
		case <-changed:
			changed = f.Changed()
			if _, err := f.Authenticate(c.Request); err != nil {
				return nil, err
			}
		case <-over.C:
			return nil, nil
		case <-c.Context().Done():
			return nil, nil // the reader is gone, or the daemon stops
		}
	}
}

type logBody struct {
	ActivityType string `json:"activity_type"`
	Type         string `json:"type"`
	Method       string `json:"method"`
	Summary      string `json:"summary"`
	Status       string `json:"status"`
	TargetID     string `json:"target_id"`
}

// activity is the row that a body tells of an agent.
func (b logBody) activity(id string) (molecule.Activity, error) {
	kind := molecule.ActivityType(b.ActivityType)
	if kind == "" {
		kind = molecule.ActivityType(b.Type)
	}
	if !kind.Known() {
		return molecule.Activity{}, molecule.Errorf(molecule.Invalid, "invalid activity_type")
	}
	return molecule.Activity{
		AgentID: id, Type: kind, SourceID: id, TargetID: molecule.Excerpt(b.TargetID, 64),
		Method: molecule.Excerpt(b.Method, 100), Summary: molecule.Excerpt(b.Summary, molecule.MaxReplyRunes),
		Status: molecule.Excerpt(b.Status, 40),
	}, nil
}

// logActivity keeps what an agent tells of itself.
func (f *Face) logActivity(w http.ResponseWriter, c call) error {
	var body logBody
	if err := read(w, c, maxLarge, &body); err != nil {
		return err
	}
	row, err := body.activity(c.id)
	if err != nil {
		return err
	}
	if _, err := f.present(c, c.id); err != nil {
		return err
	}
	if err := f.Inbox.Log(c.Context(), &row); err != nil {
		return err
	}
	return write(w, http.StatusOK, status("logged"))
}

// readNotice reads what an agent says to whoever asked, and the names by which it
// says to what.
func readNotice(raw []byte) (names []string, said molecule.Answer, err error) {
	var body struct {
		Message  *string         `json:"message"`
		Metadata json.RawMessage `json:"metadata"`
	}
	if err := parse(raw, &body); err != nil {
		return nil, said, err
	}
	if body.Message == nil {
		return nil, said, molecule.Errorf(molecule.Invalid, "message is required")
	}
	said.Parts = []molecule.Part{{Text: *body.Message}}
	return append(namesIn(raw), namesIn(body.Metadata)...), said, nil
}

// notify takes what an agent says to the person or the schedule that asked.
func (f *Face) notify(w http.ResponseWriter, c call) error {
	raw, err := slurp(w, c, maxBody)
	if err != nil {
		return err
	}
	names, said, err := readNotice(raw)
	if err != nil {
		return err
	}
	if _, err := f.present(c, c.id); err != nil {
		return err
	}
	if _, err := f.Inbox.Answer(c.Context(), c.id, names, said); err != nil {
		return err
	}
	return write(w, http.StatusOK, status("sent"))
}
