// Package webhooktest is a receiver of signed requests that keeps one value. It
// checks every signature by itself, from the text of Standard Webhooks, and
// accepts nothing that is not signed. Start with [New].
package webhooktest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Receiver keeps what it was sent.
type Receiver struct {
	URL string

	server *httptest.Server
	key    []byte

	mu     sync.Mutex
	value  []byte
	writes int
	asked  []string
	ids    map[string]string // to the bodies they came with
	status int
}

// New starts a receiver that checks signatures with key. It ends with the test.
func New(tb testing.TB, key string) *Receiver {
	tb.Helper()
	r := &Receiver{key: []byte(key), ids: make(map[string]string)}
	r.server = httptest.NewServer(r)
	r.URL = r.server.URL + "/hooks/t0ken-in-the-path"
	tb.Cleanup(r.server.Close)
	return r
}

// Close makes the receiver unreachable.
func (r *Receiver) Close() { r.server.Close() }

// Value returns what it holds; nil for nothing.
func (r *Receiver) Value() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.value)
}

// Set changes the value behind everybody's back.
func (r *Receiver) Set(value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.value = []byte(value)
	r.writes++
}

// Answer makes it answer every request with a status, and repeat what it was
// sent. Zero: as it should.
func (r *Receiver) Answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// Asked returns the types of the messages that it accepted.
func (r *Receiver) Asked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked)
}

// ServeHTTP takes one message.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // nobody is there any more
	}
	if r.status != 0 {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(r.status)
		_, _ = w.Write(body)
		return
	}
	id, at := req.Header.Get("webhook-id"), req.Header.Get("webhook-timestamp")
	mac := hmac.New(sha256.New, r.key)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	before, seen := r.ids[id]
	var m struct {
		Type string `json:"type"`
		Data struct {
			Secret string `json:"secret"`
			Value  []byte `json:"value"`
		} `json:"data"`
	}
	switch err := json.Unmarshal(body, &m); {
	case !slices.Contains(strings.Fields(req.Header.Get("webhook-signature")), want):
		http.Error(w, "bad signature", http.StatusUnauthorized)
	case err != nil, m.Data.Secret == "", req.Method != http.MethodPost, seen && before != string(body):
		http.Error(w, "bad message", http.StatusBadRequest)
	default:
		r.ids[id] = string(body)
		r.take(w, m.Type, m.Data.Value)
	}
}

// take does what a message says and answers.
func (r *Receiver) take(w http.ResponseWriter, kind string, value []byte) {
	r.asked = append(r.asked, kind)
	switch kind {
	case "secret.apply":
		r.value = value
		r.writes++
	case "secret.remove":
		r.value = nil
		r.writes++
	}
	holds := "unknown"
	if r.value == nil {
		holds = "nothing"
	}
	_, _ = fmt.Fprintf(w, `{"holds":%q,"marker":"w%d"}`, holds, r.writes) // to a recorder of httptest
}
