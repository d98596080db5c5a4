package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// otherFace is a face of three routes that tells who was let in, and its errors
// in words of its own.
func otherFace(t *testing.T) face {
	t.Helper()
	handle := func(w http.ResponseWriter, r *http.Request, accepted time.Time) error {
		if accepted.IsZero() || time.Since(accepted) < 0 {
			t.Errorf("it was accepted at %v", accepted)
		}
		if r.URL.Query().Has("fail") {
			return errors.New("no luck")
		}
		p := molecule.PrincipalFrom(r.Context())
		_, bounded := r.Context().Deadline()
		_, _ = io.WriteString(w, strings.TrimSpace(p.Name+" "+p.AgentID)) // a recorder takes it
		if patient := strings.HasPrefix(r.URL.Path, "/patient"); bounded == patient {
			t.Errorf("%s is bounded: %v", r.URL.Path, bounded)
		}
		return nil
	}
	fail := func(w http.ResponseWriter, err error) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "sorry: "+err.Error()) // a recorder takes it
	}
	return newFace(services{}, func(d *Deps) {
		d.More = []Route{
			{Method: "GET", Path: "/known/{id}", Admit: AdmitKnown, Handle: handle, Fail: fail},
			{Method: "GET", Path: "/{id}/last", Admit: AdmitDeparted, Handle: handle, Fail: fail, Apart: true},
			{Method: "GET", Path: "/patient", Admit: AdmitRegistrant, Handle: handle, Fail: fail, Patient: true},
		}
	})
}

func TestMore_letsInWhomTheRouteSays(t *testing.T) {
	t.Parallel()
	f := otherFace(t)
	tests := []struct {
		name, path string
		header     [2]string
		want       string
	}{
		{"known", "/known/x", [2]string{caller, "a"}, "200 token:test"},
		{"nobody", "/known/x", [2]string{}, "418 sorry: a valid token is needed"},
		{"removed, where that is not told", "/known/x", [2]string{removed, "a1"}, "418 sorry: a valid token is needed"},
		{"removed, where it is", "/x/last", [2]string{removed, "a1"}, "200 token:gone a1"},
		{"nobody, where the removed are told", "/x/last", [2]string{}, "418 sorry: a valid token is needed"},
		{"nobody, to register", "/patient", [2]string{}, "200"},
		{"a wrong token, to register", "/patient", [2]string{"Authorization", "Bearer x"}, "418 sorry: a valid token is needed"},
		{"known, to register", "/patient", [2]string{caller, "a"}, "200 token:test"},
		{"a path that fits both goes to the first", "/known/last", [2]string{removed, "a1"}, "418 sorry: a valid token is needed"},
		{"an error", "/known/x?fail", [2]string{caller, "a"}, "418 sorry: no luck"},
		{"a slash more", "/known/x/", [2]string{caller, "a"}, "404"},
	}
	for _, tt := range tests {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, tt.path, nil)
		if tt.header[0] != "" {
			r.Header.Set(tt.header[0], tt.header[1])
		}
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		got := strings.TrimSpace(fmt.Sprint(w.Code, " ", w.Body))
		if w.Code == http.StatusNotFound {
			got = "404"
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
