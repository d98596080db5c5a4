// Package githubtest is a server that keeps Actions secrets as GitHub's REST API
// does: it opens the sealed boxes with its private key, gives nothing back but
// names and times, and changes its public key when told to. Start with [New].
package githubtest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/box"
)

// Server keeps the secrets of acme/platform, of its environment "eu/production"
// and of the organisation acme.
type Server struct {
	URL string

	server *httptest.Server
	token  string

	mu       sync.Mutex
	keys     []key
	secrets  map[string]*secret // by path
	now      time.Time
	stale    int // answered to a value for a key that is no more
	answer   func(http.ResponseWriter)
	refusing int // answered to every write
	noKeyID  bool
	rotating bool
	puts     int
}

// key is a pair of keys; the last one is current.
type key struct {
	id           string
	public, priv *[32]byte
}

type secret struct {
	value            string
	created, updated time.Time
	visibility       string
	repositories     []int64
}

// New starts a server that knows one token. It ends with the test.
func New(tb testing.TB, token string) *Server {
	tb.Helper()
	s := &Server{token: token, secrets: make(map[string]*secret), now: time.Date(2026, 1, 10, 14, 59, 22, 0, time.UTC), stale: http.StatusUnprocessableEntity}
	s.RotateKey(tb)
	mux := http.NewServeMux()
	for _, at := range []string{"/repos/acme/platform/actions/secrets/", "/repos/acme/platform/environments/eu%2Fproduction/secrets/", "/orgs/acme/actions/secrets/"} {
		mux.HandleFunc("GET "+at+"public-key", s.publicKey)
		mux.HandleFunc("GET "+at+"{name}", s.get)
		mux.HandleFunc("PUT "+at+"{name}", s.put)
		mux.HandleFunc("DELETE "+at+"{name}", s.remove)
	}
	mux.HandleFunc("GET /orgs/acme/actions/secrets/{name}/repositories", s.selected)
	mux.HandleFunc("/", notFound)
	s.server = httptest.NewServer(s.guarded(mux))
	s.URL = s.server.URL
	tb.Cleanup(s.server.Close)
	return s
}

// Close makes the server unreachable.
func (s *Server) Close() { s.server.Close() }

// RotateKey changes the public key. Values that are sealed for the one before
// are not taken any more.
func (s *Server) RotateKey(tb testing.TB) {
	tb.Helper()
	public, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, key{strconv.Itoa(568250167242549743 + len(s.keys)), public, private})
}

// RotateBehindKey makes the next answer about the public key the last one of
// that key: the key that follows takes its place behind it. What is sealed for
// the one before is then answered with a status.
func (s *Server) RotateBehindKey(tb testing.TB, status int) {
	s.RotateKey(tb)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rotating, s.stale = true, status
}

// WithoutKeyID makes it give public keys without their ids.
func (s *Server) WithoutKeyID() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noKeyID = true
}

// RefuseWrites makes it answer every write with a status.
func (s *Server) RefuseWrites(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing = status
}

// Answer has every request answered by f; nil: as it should.
func (s *Server) Answer(f func(http.ResponseWriter)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

// Value returns what the secret at a path such as
// /repos/acme/platform/actions/secrets/TOKEN was opened to.
func (s *Server) Value(path string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held, ok := s.secrets[path]
	if !ok {
		return "", false
	}
	return held.value, true
}

// Set writes a secret behind everybody's back.
func (s *Server) Set(path, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(path, value)
}

// Select makes the secret of an organisation visible to repositories.
func (s *Server) Select(path string, repositories []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets[path].visibility, s.secrets[path].repositories = "selected", repositories
}

// Selected returns who sees the secret of an organisation.
func (s *Server) Selected(path string) (visibility string, repositories []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secrets[path].visibility, s.secrets[path].repositories
}

// Puts counts the requests that were to write.
func (s *Server) Puts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.puts
}

// write keeps a value. Each write is a second after the one before.
func (s *Server) write(path, value string) (created bool) {
	s.now = s.now.Add(time.Second)
	held, ok := s.secrets[path]
	if !ok {
		held = &secret{created: s.now}
		s.secrets[path] = held
	}
	held.value, held.updated = value, s.now
	return !ok
}

// guarded checks who asks.
func (s *Server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		switch {
		case s.answer != nil:
			s.answer(w)
		case r.Header.Get("Authorization") != "Bearer "+s.token:
			say(w, http.StatusUnauthorized, "Bad credentials")
		case r.UserAgent() == "":
			say(w, http.StatusForbidden, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (s *Server) publicKey(w http.ResponseWriter, _ *http.Request) {
	current := s.keys[len(s.keys)-1]
	if s.rotating {
		current, s.rotating = s.keys[len(s.keys)-2], false
	}
	answer := map[string]string{"key_id": current.id, "key": base64.StdEncoding.EncodeToString(current.public[:])}
	if s.noKeyID {
		delete(answer, "key_id")
	}
	encode(w, answer)
}

func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	held, ok := s.secrets[r.URL.EscapedPath()]
	if !ok {
		notFound(w, r)
		return
	}
	answer := map[string]string{"name": r.PathValue("name"), "created_at": held.created.Format(time.RFC3339), "updated_at": held.updated.Format(time.RFC3339)}
	if held.visibility != "" {
		answer["visibility"] = held.visibility
	}
	encode(w, answer)
}

func (s *Server) put(w http.ResponseWriter, r *http.Request) {
	s.puts++
	var in struct {
		EncryptedValue string   `json:"encrypted_value"`
		KeyID          string   `json:"key_id"`
		Visibility     string   `json:"visibility"`
		Repositories   *[]int64 `json:"selected_repository_ids"`
	}
	path, org := r.URL.EscapedPath(), r.URL.Path[:6] == "/orgs/"
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		say(w, http.StatusBadRequest, "Problems parsing JSON")
		return
	}
	sealed, err := base64.StdEncoding.DecodeString(in.EncryptedValue)
	current := s.keys[len(s.keys)-1]
	var value []byte
	opened := false
	if err == nil && in.KeyID == current.id {
		value, opened = box.OpenAnonymous(nil, sealed, current.public, current.priv)
	}
	switch {
	case s.refusing != 0:
		say(w, s.refusing, "Validation Failed")
	case in.KeyID == "":
		say(w, http.StatusUnprocessableEntity, `Invalid request.\n\n"key_id" wasn't supplied.`)
	case org && in.Visibility == "":
		say(w, http.StatusUnprocessableEntity, `Invalid request.\n\n"visibility" wasn't supplied.`)
	case !opened:
		say(w, s.stale, "Bad request - the value was not encrypted for the current public key")
	case s.write(path, string(value)):
		s.show(path, in.Visibility, in.Repositories)
		w.WriteHeader(http.StatusCreated)
		encode(w, map[string]string{})
	default:
		s.show(path, in.Visibility, in.Repositories)
		w.WriteHeader(http.StatusNoContent)
	}
}

// show keeps who sees a secret.
func (s *Server) show(path, visibility string, repositories *[]int64) {
	s.secrets[path].visibility, s.secrets[path].repositories = visibility, nil
	if repositories != nil {
		s.secrets[path].repositories = *repositories
	}
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.secrets[r.URL.EscapedPath()]; !ok {
		notFound(w, r)
		return
	}
	delete(s.secrets, r.URL.EscapedPath())
	w.WriteHeader(http.StatusNoContent)
}

// selected lists repositories, a page at a time.
func (s *Server) selected(w http.ResponseWriter, r *http.Request) {
	held, ok := s.secrets["/orgs/acme/actions/secrets/"+r.PathValue("name")]
	if !ok || held.visibility != "selected" {
		say(w, http.StatusConflict, "The secret is not visible to selected repositories")
		return
	}
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(r.URL.Query().Get(name)); err == nil && n > 0 {
			return n
		}
		return otherwise
	}
	size, all := min(number("per_page", 30), 100), held.repositories
	from := min((number("page", 1)-1)*size, len(all))
	page := []map[string]int64{}
	for _, id := range all[from:min(from+size, len(all))] {
		page = append(page, map[string]int64{"id": id})
	}
	encode(w, map[string]any{"total_count": len(all), "repositories": page})
}

func notFound(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusNotFound, "Not Found") }

// say answers with an error in GitHub's form.
func say(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	encode(w, map[string]string{"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status)})
}

func encode(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) } // to whoever is still there
