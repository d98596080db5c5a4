// Package vaulttest is a server that keeps KV secrets, version 2, as the HTTP API
// of HashiCorp Vault and OpenBao does: versions with check-and-set, deletion and
// destruction, policies, namespaces, and the errors of each. Start with [New].
package vaulttest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server has one store of version 2 at kv/, and one of version 1 at old/, in one
// namespace.
type Server struct {
	URL string

	server    *httptest.Server
	namespace string

	mu      sync.Mutex
	tokens  map[string]map[string][]string // to what each may do, by prefix of a path
	secrets map[string][]version           // the first is version 1
	sealed  bool
	answer  int
	before  func(r *http.Request)
}

type version struct {
	data               map[string]any
	deleted, destroyed bool
}

// New starts a server whose token may do everything. It ends with the test.
func New(tb testing.TB, token, namespace string) *Server {
	tb.Helper()
	s := &Server{namespace: namespace, tokens: map[string]map[string][]string{token: {"": {"root"}}}, secrets: make(map[string][]version)}
	s.server = httptest.NewServer(s)
	s.URL = s.server.URL
	tb.Cleanup(s.server.Close)
	return s
}

// Close makes the server unreachable.
func (s *Server) Close() { s.server.Close() }

// Allow makes a token with what it may do, by the beginning of a path.
func (s *Server) Allow(token string, may map[string][]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token] = may
}

// Seal seals it.
func (s *Server) Seal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = true
}

// Answer makes it answer everything with a status; 0: as it should.
func (s *Server) Answer(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = status
}

// Before calls f with each request before it is answered.
func (s *Server) Before(f func(r *http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

// Set writes one key of the current version behind everybody's back.
func (s *Server) Set(path, key string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data := map[string]any{}
	if all := s.secrets[path]; len(all) > 0 {
		for k, v := range all[len(all)-1].data {
			data[k] = v
		}
	}
	data[key] = value
	s.secrets[path] = append(s.secrets[path], version{data: data})
}

// Delete marks the current version as deleted.
func (s *Server) Delete(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets[path][len(s.secrets[path])-1].deleted = true
}

// Value returns what a version has under a key; version 0 is the current one.
func (s *Server) Value(path string, n int, key string) (any, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.secrets[path]
	if n == 0 {
		n = len(all)
	}
	if n < 1 || n > len(all) || all[n-1].deleted || all[n-1].destroyed {
		return nil, false
	}
	v, ok := all[n-1].data[key]
	return v, ok
}

// Versions counts the versions of a secret.
func (s *Server) Versions(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.secrets[path])
}

// ServeHTTP answers as /v1 does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before != nil {
		before(r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	path, _ := strings.CutPrefix(r.URL.Path, "/v1/")
	may, known := s.tokens[r.Header.Get("X-Vault-Token")]
	w.Header().Set("Content-Type", "application/json")
	switch {
	case s.answer != 0:
		fail(w, s.answer, "as said")
	case s.sealed:
		fail(w, http.StatusServiceUnavailable, "Vault is sealed")
	case !known:
		fail(w, http.StatusForbidden, "permission denied", "invalid token")
	case path == "auth/token/lookup-self":
		say(w, map[string]any{"type": "service"})
	case path == "sys/capabilities-self":
		s.capabilities(w, r, may)
	case r.Header.Get("X-Vault-Namespace") != s.namespace:
		fail(w, http.StatusForbidden, "permission denied")
	case strings.HasPrefix(path, "sys/internal/ui/mounts/"):
		mounts(w, strings.TrimPrefix(path, "sys/internal/ui/mounts/"))
	default:
		s.store(w, r, path, may)
	}
}

// store answers what is about a secret.
func (s *Server) store(w http.ResponseWriter, r *http.Request, path string, may map[string][]string) {
	mount, rest, _ := strings.Cut(path, "/")
	part, name, _ := strings.Cut(rest, "/")
	need := map[string]string{http.MethodGet: "read", http.MethodPost: "update", http.MethodPut: "update", http.MethodDelete: "delete"}[r.Method]
	if part == "data" && need == "update" && len(s.secrets[name]) == 0 {
		need = "create"
	}
	write := r.Method == http.MethodPost || r.Method == http.MethodPut
	switch {
	case !allowed(may, path, need):
		fail(w, http.StatusForbidden, "1 error occurred:\n\t* permission denied\n\n")
	case mount == "old":
		fail(w, http.StatusNotFound) // of a secret called data/…
	case mount != "kv":
		fail(w, http.StatusNotFound, fmt.Sprintf("no handler for route %q. route entry not found.", path))
	case part == "data" && r.Method == http.MethodGet:
		s.read(w, name, r.URL.Query().Get("version"))
	case part == "data" && write:
		s.write(w, r, name)
	case part == "metadata" && r.Method == http.MethodGet:
		s.metadata(w, name)
	case part == "destroy" && write:
		s.destroy(w, r, name)
	default:
		fail(w, http.StatusMethodNotAllowed, "unsupported operation")
	}
}

func (s *Server) read(w http.ResponseWriter, name, asked string) {
	all := s.secrets[name]
	n := len(all)
	if v, err := strconv.Atoi(asked); err == nil && v > 0 {
		n = v
	}
	if n < 1 || n > len(all) {
		fail(w, http.StatusNotFound)
		return
	}
	v := all[n-1]
	answer := map[string]any{"data": v.data, "metadata": about(n, v)}
	if v.deleted || v.destroyed {
		answer["data"] = nil
		w.WriteHeader(http.StatusNotFound)
	}
	say(w, answer)
}

func about(n int, v version) map[string]any {
	at := time.Date(2026, 1, 1, 0, 0, n, 0, time.UTC).Format(time.RFC3339Nano)
	deleted := ""
	if v.deleted {
		deleted = at
	}
	return map[string]any{"created_time": at, "custom_metadata": nil, "deletion_time": deleted, "destroyed": v.destroyed, "version": n}
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, name string) {
	var in struct {
		Options struct {
			CAS *int `json:"cas"`
		} `json:"options"`
		Data map[string]any `json:"data"`
	}
	d := json.NewDecoder(r.Body)
	d.UseNumber()
	switch err := d.Decode(&in); {
	case err != nil:
		fail(w, http.StatusBadRequest, "error parsing JSON")
	case in.Data == nil:
		fail(w, http.StatusBadRequest, "no data provided")
	case in.Options.CAS == nil:
		fail(w, http.StatusBadRequest, "check-and-set parameter required for this call")
	case *in.Options.CAS != len(s.secrets[name]):
		fail(w, http.StatusBadRequest, "check-and-set parameter did not match the current version")
	default:
		s.secrets[name] = append(s.secrets[name], version{data: in.Data})
		say(w, about(len(s.secrets[name]), version{}))
	}
}

func (s *Server) metadata(w http.ResponseWriter, name string) {
	all := s.secrets[name]
	if len(all) == 0 {
		fail(w, http.StatusNotFound)
		return
	}
	versions := map[string]any{}
	for i, v := range all {
		versions[strconv.Itoa(i+1)] = about(i+1, v)
	}
	say(w, map[string]any{"cas_required": true, "current_version": len(all), "oldest_version": 1, "max_versions": 0, "versions": versions})
}

func (s *Server) destroy(w http.ResponseWriter, r *http.Request, name string) {
	var in struct {
		Versions []int `json:"versions"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Versions) == 0 {
		fail(w, http.StatusBadRequest, "no version number provided")
		return
	}
	for _, n := range in.Versions {
		if n >= 1 && n <= len(s.secrets[name]) {
			s.secrets[name][n-1] = version{destroyed: true}
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) capabilities(w http.ResponseWriter, r *http.Request, may map[string][]string) {
	var in struct {
		Paths []string `json:"paths"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Paths) == 0 {
		fail(w, http.StatusBadRequest, "paths must be supplied")
		return
	}
	all := map[string][]string{}
	for _, path := range in.Paths {
		if all[path] = capable(may, path); all[path] == nil {
			all[path] = []string{"deny"}
		}
	}
	say(w, all)
}

// capable returns what the longest beginning of a path allows.
func capable(may map[string][]string, path string) []string {
	best, found := -1, []string(nil)
	for prefix, all := range may {
		if strings.HasPrefix(path, prefix) && len(prefix) > best {
			best, found = len(prefix), all
		}
	}
	return found
}

func allowed(may map[string][]string, path, need string) bool {
	all := capable(may, path)
	return slices.Contains(all, "root") || slices.Contains(all, need)
}

func mounts(w http.ResponseWriter, path string) {
	mount, _, _ := strings.Cut(path, "/")
	version, ok := map[string]string{"kv": "2", "old": "1"}[mount]
	if !ok {
		fail(w, http.StatusForbidden, "preflight capability check returned 403, please ensure client's policies grant access to path \""+mount+"/\"")
		return
	}
	say(w, map[string]any{"path": mount + "/", "type": "kv", "options": map[string]string{"version": version}})
}

// fail answers with errors, also with none at all.
func fail(w http.ResponseWriter, status int, errs ...string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string][]string{"errors": append([]string{}, errs...)}) // to whoever is still there
}

func say(w http.ResponseWriter, data any) {
	_ = json.NewEncoder(w).Encode(map[string]any{"request_id": "1", "lease_id": "", "data": data, "warnings": nil}) // likewise
}
