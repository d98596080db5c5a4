package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestServe_notesInTheAuditTrailWhatWasRefused(t *testing.T) {
	t.Parallel()
	f := newFace(services{create: func(*molecule.Agent) error {
		return molecule.Errorf(molecule.Forbidden, "only an administrator on the socket may do this")
	}})
	f.ask("GET", "/v1/agents", "")                                           // nobody, and no credential
	f.ask("GET", "/v1/nothing", "")                                          // no route
	f.ask("GET", "/v1/audit", "", molecule.ScopeAgentsRead)                  // one scope too few
	f.ask("POST", "/v1/agents", `{"name":"a"}`, molecule.ScopeAgentsWrite)   // refused by the service
	f.ask("POST", "/v1/agents", `{"nonsense":1}`, molecule.ScopeAgentsWrite) // a mistake, and no attempt
	wrong := httptest.NewRequest(http.MethodGet, "/v1/agents", nil)
	wrong.Header.Set("Authorization", "Bearer wrong")
	wrong.Header.Set("X-Request-Id", "r-7")
	f.ServeHTTP(httptest.NewRecorder(), wrong)

	var got []string
	for _, r := range *f.refused {
		got = append(got, strings.Join([]string{r.Principal, r.Source, r.Action, r.Object, string(r.Result)}, "|"))
		if r.Reason == "" || r.RequestID == "" || strings.Contains(r.Reason, "Bearer wrong") {
			t.Errorf("row %+v has no reason or no request, or repeats the credential", r)
		}
	}
	want := []string{
		"token:test|socket|GET /v1/audit|/v1/audit|refused",
		"token:test|socket|POST /v1/agents|/v1/agents|refused",
		"|socket|GET /v1/agents|/v1/agents|refused",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("rows (-got +want):\n%s", diff)
	}
}

func TestServe_refusesAllTheSameWhenTheTrailCannotBeWritten(t *testing.T) {
	t.Parallel()
	f := newFace(services{}, func(d *Deps) {
		d.Refused = func(context.Context, molecule.AuditRow) error { return errors.New("no room") }
	})
	w := f.ask("GET", "/v1/audit", "", molecule.ScopeAgentsRead)
	if w.Code != http.StatusForbidden || !strings.Contains(f.log.String(), "no room") {
		t.Errorf("got status %d, log %q", w.Code, f.log.String())
	}
}
