package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// importing is a service that only imports.
type importing struct {
	molecule.ScheduleService
	asked *molecule.ScheduleImport
	err   error
}

func (s importing) ImportSchedules(_ context.Context, in molecule.ScheduleImport) (molecule.ImportResult, error) {
	*s.asked = in
	return molecule.ImportResult{Created: []string{"a"}}, s.err
}

func importFace(err error) (face, *molecule.ScheduleImport) {
	asked := new(molecule.ScheduleImport)
	return newFace(services{}, func(d *Deps) { d.Schedules = importing{asked: asked, err: err} }), asked
}

func TestImport_readsTheDocumentAndTheQuestion(t *testing.T) {
	t.Parallel()
	f, asked := importFace(nil)
	w := f.ask(http.MethodPost, wire.PathScheduleImport+"?update=true&skip_invalid=true&dry_run=true",
		` { "schedules" : [{"name":"a","agent":"echo","cron":"@daily","prompt":"p","overlap":"queue"}, {"name":"b","paused":false}] } `, molecule.ScopeSchedulesWrite)
	active := false
	want := molecule.ScheduleImport{Update: true, SkipInvalid: true, DryRun: true, Schedules: []molecule.ScheduleSpec{
		{Name: "a", Agent: "echo", Cron: "@daily", Prompt: "p", Policy: molecule.Policy{Overlap: molecule.OverlapQueue}}, {Name: "b", Paused: &active},
	}}
	if diff := cmp.Diff(*asked, want); diff != "" || w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"created":["a"]`) {
		t.Errorf("%d %s, asked (-got +want):\n%s", w.Code, w.Body, diff)
	}
}

func TestImport_refusesWhatIsNoDocument(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, query, body string
		code              molecule.Code
		says              string
	}{
		{"nothing", "", "", molecule.Invalid, "no document of schedules"},
		{"a list", "", `[{"name":"a"}]`, molecule.Invalid, "no document of schedules"},
		{"another key", "", `{"items":[]}`, molecule.Invalid, "no document of schedules"},
		{"a second key", "", `{"schedules":[],"update":true}`, molecule.Invalid, "no document of schedules"},
		{"no list", "", `{"schedules":{}}`, molecule.Invalid, "no document of schedules"},
		{"not JSON", "", `schedules:`, molecule.Invalid, "not valid"},
		{"an end within", "", `{"schedules":[{"name":"a"},{"name":`, molecule.Invalid, "ends within schedule 2"},
		{"an end behind", "", `{"schedules":[{"name":"a"}`, molecule.Invalid, "no document of schedules"},
		{"an end before the last brace", "", `{"schedules":[{"name":"a"}]`, molecule.Invalid, "no document of schedules"},
		{"more behind it", "", `{"schedules":[]} {}`, molecule.Invalid, "more than one JSON value"},
		{"an unknown field", "", `{"schedules":[{"name":"a"},{"nam":"b"}]}`, molecule.Invalid, `schedule 2: the request body is not valid: unknown field "nam"`},
		{"a wrong type", "", `{"schedules":[{"name":7}]}`, molecule.Invalid, `schedule 1: field "name" must be a string`},
		{"no duration", "", `{"schedules":[{"timeout":"7"}]}`, molecule.Invalid, `schedule 1: duration "7" is not valid`},
		{"another question", "?prune=true", `{"schedules":[]}`, molecule.Invalid, `"prune" is not known`},
		{"too many", "", `{"schedules":[` + strings.Repeat("{},", molecule.MaxImport) + `{}]}`, molecule.TooLarge, "more than 100000 schedules"},
		{"too much", "", `{"schedules":[{"prompt":"` + strings.Repeat("x", wire.MaxImportBytes) + `"}]}`, molecule.TooLarge, "67108864 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, asked := importFace(nil)
			w := f.ask(http.MethodPost, wire.PathScheduleImport+tt.query, tt.body, molecule.ScopeSchedulesWrite)
			wantError(t, w, tt.code, tt.says)
			if asked.Schedules != nil {
				t.Error("the service was asked all the same")
			}
		})
	}
}

func TestImport_takesMoreThanOtherRequests(t *testing.T) {
	t.Parallel()
	f, asked := importFace(nil)
	prompt := strings.Repeat("x", 2*wire.MaxBodyBytes)
	w := f.ask(http.MethodPost, wire.PathScheduleImport, `{"schedules":[{"prompt":"`+prompt+`"}]}`, molecule.ScopeSchedulesWrite)
	if w.Code != http.StatusOK || len(asked.Schedules) != 1 || asked.Schedules[0].Prompt != prompt {
		t.Errorf("two MiB are answered %d %.100s", w.Code, w.Body)
	}
}

func TestImport_namesTheFaultsOfOneThatIsRefused(t *testing.T) {
	t.Parallel()
	faults := []molecule.Fault{{Index: 3, Name: "a", Field: "cron", Code: molecule.Invalid, Message: "bad\nline\n  ^", Hint: "mend it"}}
	f, _ := importFace(molecule.RefuseImport(faults, 7))
	w := f.ask(http.MethodPost, wire.PathScheduleImport, `{"schedules":[]}`, molecule.ScopeSchedulesWrite)
	wantError(t, w, molecule.Invalid, "nothing was imported: 1 of 7 schedules")
	var got wire.ErrorBody
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got.Error.Faults, faults); diff != "" || got.Error.Total != 1 {
		t.Errorf("%d faults (-got +want):\n%s", got.Error.Total, diff)
	}
}
