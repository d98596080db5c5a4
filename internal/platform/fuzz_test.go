package platform

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// refusal fails unless err is told as this wire tells errors.
func refusal(t *testing.T, err error) {
	t.Helper()
	w := httptest.NewRecorder()
	writeError(w, err)
	var body struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(w.Body.Bytes(), &body) != nil || body.Error == "" || w.Code != http.StatusBadRequest {
		t.Errorf("%v is told as %d %s", err, w.Code, w.Body)
	}
}

// seeds are bodies that some decoder takes, and some that none should.
func seeds(f *testing.F) {
	for _, s := range []string{
		`{"id":"0199aaaa-0000-7000-8000-000000000001","url":"remote://x","agent_card":{},"delivery_mode":"poll"}`,
		`{"workspace_id":"0199AAAA-0000-7000-8000-000000000001","url":"http://a/","agent_card":{"name":"a"}}`,
		`{"workspace_id":"a","error_rate":0.5,"active_tasks":1e400,"uptime_seconds":1.5,"busy_until":"2026-12-01T08:00:00Z","secret_versions":{"A":1}}`,
		`{"caller_id":"a","target_id":"b"}`, `{"activity_type":"agent_log","summary":"x","status":"ok"}`,
		`{"message":"done","in_reply_to":"a","metadata":{"run_id":"b"}}`,
		`{"jsonrpc":"2.0","id":7,"method":"message/send","params":{"message":{"role":"user","parts":[{"type":"text","text":"x"}]}}}`,
		`{"message":{"role":"ROLE_AGENT","parts":[{"text":"x"},{"data":{"a":1}},{"file":{"uri":"u"}}],"metadata":{"usage":{"input_tokens":1}}}}`,
		`{"role":"user","parts":[{"kind":"text","text":"\u0000\ud800"}],"taskId":"a","referenceTaskIds":["b"]}`,
		``, `null`, `[]`, `"x"`, `{`, `{"id":{}}`, `{"message":7}`, `{"params":[]}`, `{"parts":[null]}`, `{"parts":[[]]}`, "{\"id\":\"\xff\"}",
		strings.Repeat(`{"message":`, 2000) + `1` + strings.Repeat(`}`, 2000),
	} {
		f.Add([]byte(s))
	}
}

func FuzzRegister(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var body registerBody
		err := parse(raw, &body)
		var in molecule.Registration
		if err == nil {
			in, err = body.registration()
		}
		switch {
		case err != nil:
			refusal(t, err)
		case in.Kind != molecule.AgentPush && in.Kind != molecule.AgentPoll, (in.Kind == molecule.AgentPush) != (in.URL != ""):
			t.Errorf("%s registers a %s agent at %q", raw, in.Kind, in.URL)
		case in.AgentID == "" || len(in.Card) == 0:
			t.Errorf("%s registers %+v", raw, in)
		}
	})
}

func FuzzHeartbeat(f *testing.F) {
	seeds(f)
	now := time.Date(2026, 4, 14, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var body heartbeatBody
		err := parse(raw, &body)
		var said molecule.Vitals
		if err == nil {
			said, err = body.vitals(now)
		}
		if err != nil {
			refusal(t, err)
			return
		}
		if said.ErrorRate < 0 || said.ErrorRate > 1 || said.ActiveTasks < 0 || said.UptimeSeconds < 0 || said.BusyUntil.After(now.Add(molecule.MaxBusy)) {
			t.Errorf("%s says %+v", raw, said)
		}
	})
}

func FuzzCardAndAccess(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var card cardBody
		if err := parse(raw, &card); err != nil {
			refusal(t, err)
		}
		var access accessBody
		if err := parse(raw, &access); err != nil {
			refusal(t, err)
		}
	})
}

func FuzzLogActivity(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var body logBody
		err := parse(raw, &body)
		var row molecule.Activity
		if err == nil {
			row, err = body.activity("a")
		}
		switch {
		case err != nil:
			refusal(t, err)
		case !row.Type.Known() || row.AgentID != "a" || len(row.Summary) > 4*molecule.MaxReplyRunes:
			t.Errorf("%s tells %+v", raw, row)
		}
	})
}

func FuzzNotify(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, said, err := readNotice(raw)
		switch {
		case err != nil:
			refusal(t, err)
		case len(said.Parts) != 1:
			t.Errorf("%s says %+v", raw, said)
		}
	})
}

func FuzzMessage(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		in, err := readMessage(raw)
		if err != nil {
			refusal(t, err)
			return
		}
		// What is passed on is whole, and reads as the same message.
		again, err := readMessage(in.raw)
		if err != nil {
			t.Fatalf("%s is passed on as %s, which is refused: %v", raw, in.raw, err)
		}
		if again.message.MessageID != in.message.MessageID || again.message.text() != in.message.text() || len(again.message.Parts) != len(in.message.Parts) {
			t.Errorf("%s is passed on as %s", raw, in.raw)
		}
		for _, p := range in.message.Parts {
			if p.Kind == "" || p.Kind != p.Type {
				t.Errorf("a part of %s is a %q and a %q", raw, p.Kind, p.Type)
			}
		}
		kept, err := compact(in.message)
		if err != nil {
			t.Fatalf("%s cannot be kept: %v", raw, err)
		}
		if _, err := (&Face{Deps: Deps{Inbox: nowhere{}}}).row(molecule.Activity{Type: molecule.ActivityReceive, Message: kept}, molecule.Agent{}); err != nil {
			t.Errorf("%s is kept as %s, which is no row: %v", raw, kept, err)
		}
		in.names()
		in.answer()
	})
}

// nowhere is an inbox that is asked for its address only.
type nowhere struct{ molecule.Inbox }

func (nowhere) ReplyAddress() string { return "0199aaaa-0000-7000-8000-000000000000" }

func FuzzActivityQuery(f *testing.F) {
	for _, s := range []string{"", "type=a2a_receive&limit=5&since_id=a&wait=1.5", "limit=-1", "wait=NaN", "wait=1e300", "limit=999999999999999999999", "%zz", "type=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.RawQuery = query
		q, err := readActivityQuery(call{Request: r, id: "a", by: molecule.Principal{AgentID: "a"}})
		switch {
		case err != nil:
			refusal(t, err)
		case q.filter.Limit < 1 || q.filter.Limit > molecule.MaxActivities || q.wait < 0 || q.wait > molecule.MaxActivityWait:
			t.Errorf("%q asks for %d rows within %v", query, q.filter.Limit, q.wait)
		case q.filter.Type != "" && !q.filter.Type.Known():
			t.Errorf("%q asks for rows of type %q", query, q.filter.Type)
		}
	})
}
