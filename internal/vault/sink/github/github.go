// Package github is the sink that is an Actions secret of a repository, of one of
// its environments, or of an organisation.
//
// GitHub shows nobody the value. What it shows is when the secret was updated,
// to the second: that is the marker, and a stranger's write within the second
// of ours is not seen. It has no condition on writes either, so that a write
// between our look and ours is lost. A probe reads the public key, which takes
// a credential that may see secrets; whether it may write them is known with the
// first write.
//
// A value is sealed for the public key of the place. The key may change at any
// time; a value that was sealed for the one before is sealed again, once.
package github

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
	"github.com/molecule-ai/molecli/internal/vault/sink/web"
)

const (
	host       = "api.github.com"
	apiVersion = "2022-11-28"
	// maxValue is what GitHub documents as the largest secret, 48 KB.
	maxValue = 48 << 10
)

// Open makes the sink of an Actions secret.
func Open(s sink.Spec) (sink.Sink, error) {
	g, err := newCell(s)
	if err != nil {
		return nil, err
	}
	return sink.OfCell(g.place, g), nil
}

func newCell(s sink.Spec) (cell, error) {
	g := cell{place: s.At(), name: strings.ToUpper(s.Name("name"))}
	var err error
	if g.path, err = pathOf(s); err != nil {
		return g, err
	}
	if !nameForm.MatchString(g.name) || strings.HasPrefix(g.name, "GITHUB_") {
		return g, molecule.Errorf(molecule.Invalid, "%s: GitHub takes no secret of that name", g.place).
			WithHint("write name: with letters, digits and underscores, not a digit first, and not GITHUB_")
	}
	g.org = s.Target["org"]
	g.client, err = web.Service(s, cmp.Or(s.Target["url"], "https://"+host), host)
	return g, err
}

var (
	nameForm  = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)
	ownerForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)
	repoForm  = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
)

// pathOf returns where the secrets of a target are.
func pathOf(s sink.Spec) ([]string, error) {
	bad := func(hint, format string, args ...any) ([]string, error) {
		err := molecule.Errorf(molecule.Invalid, format, args...)
		err.Message = s.At() + ": " + err.Message
		return nil, err.WithHint("%s", hint)
	}
	repo, org, environment := s.Target["repo"], s.Target["org"], s.Target["environment"]
	owner, name, _ := strings.Cut(repo, "/")
	switch {
	case repo != "" && org != "":
		return bad("write one of them", "it is of a repository or of an organisation")
	case org != "" && environment != "":
		return bad("write repo: instead of org:", "an organisation has no environments")
	case org != "" && !ownerForm.MatchString(org):
		return bad("write org: acme", "%q is no organisation", molecule.Excerpt(org, 40))
	case org != "":
		return []string{"orgs", org, "actions", "secrets"}, nil
	case !ownerForm.MatchString(owner) || !repoForm.MatchString(name) || name == "." || name == "..":
		return bad("write repo: acme/platform", "%q is no repository", molecule.Excerpt(repo, 80))
	case environment == "." || environment == "..":
		return bad("write environment: production", "%q is no environment", environment)
	case environment != "":
		return []string{"repos", owner, name, "environments", environment, "secrets"}, nil
	}
	return []string{"repos", owner, name, "actions", "secrets"}, nil
}

// cell is one Actions secret.
type cell struct {
	place, name, org string
	path             []string // of the secrets beside it
	client           *web.Client
}

// secret is what GitHub shows of one.
type secret struct {
	UpdatedAt  string `json:"updated_at"`
	Visibility string `json:"visibility"` // of an organisation's
}

// Look asks for the public key, without which nothing is written, and for when
// the secret was updated.
func (g cell) Look(ctx context.Context, c sink.Change) (sink.State, error) {
	if err := g.holds(c.New.Reveal()); err != nil {
		return sink.State{}, err
	}
	if _, err := g.publicKey(ctx, c); err != nil {
		return sink.State{}, err
	}
	s, found, err := g.secret(ctx, c)
	if err != nil || !found {
		return sink.State{Holds: sink.HoldsNothing}, err
	}
	return sink.State{Holds: c.CompareMarker(s.UpdatedAt), Marker: s.UpdatedAt}, nil
}

func (g cell) secret(ctx context.Context, c sink.Change) (s secret, found bool, err error) {
	status, err := g.ask(ctx, http.MethodGet, c, nil, &s, []string{g.name}, http.StatusNotFound)
	if err == nil && status == http.StatusOK && s.UpdatedAt == "" {
		return s, false, g.nonsense("tells of a secret and not when it was updated")
	}
	return s, status == http.StatusOK, err
}

// Put seals the new value and writes it.
func (g cell) Put(ctx context.Context, c sink.Change, _ sink.State) error {
	body, err := g.visibility(ctx, c)
	if err != nil {
		return err
	}
	key, err := g.publicKey(ctx, c)
	if err != nil {
		return err
	}
	status, err := g.put(ctx, c, body, key)
	if err != nil || !refused(status) {
		return err
	}
	// Sealed for a key that is no more, as it seems.
	if key, err = g.publicKey(ctx, c); err != nil {
		return err
	}
	status, err = g.put(ctx, c, body, key)
	switch {
	case err != nil || !refused(status):
		return err
	case status == http.StatusConflict:
		return molecule.Errorf(molecule.Unavailable, "%s is changed by somebody else at the same time", g.place).WithHint("try again")
	}
	return sink.Rejected("%s rejects the value, sealed for the key that it just gave", g.place)
}

// refused reports whether a status says that what was sealed cannot be opened.
func refused(status int) bool {
	return status == http.StatusUnprocessableEntity || status == http.StatusConflict
}

// put writes a value that is sealed for a key.
func (g cell) put(ctx context.Context, c sink.Change, body write, key publicKey) (status int, err error) {
	if body.KeyID = key.ID; key.ID == "" {
		return 0, g.nonsense("gave a public key without its id")
	}
	if body.EncryptedValue, err = key.seal(c.New.Reveal()); err != nil {
		return 0, g.nonsense(err.Error())
	}
	return g.ask(ctx, http.MethodPut, c, body, nil, []string{g.name}, http.StatusUnprocessableEntity, http.StatusConflict)
}

// Clear takes the secret away. One that is gone already is fine.
func (g cell) Clear(ctx context.Context, c sink.Change, _ sink.State) error {
	_, err := g.ask(ctx, http.MethodDelete, c, nil, nil, []string{g.name}, http.StatusNotFound)
	return err
}

// holds refuses what cannot reach a job byte for byte, as a variable of its
// environment.
func (g cell) holds(value string) error {
	switch {
	case len(value) > maxValue:
		return sink.Rejected("a secret of GitHub has at most %d bytes, and this value has %d", maxValue, len(value))
	case !utf8.ValidString(value) || strings.Contains(value, "\x00"):
		return sink.Rejected("a job gets its secrets as text, and this value is none")
	}
	return nil
}

// ask sends one request about the secrets.
func (g cell) ask(ctx context.Context, method string, c sink.Change, body, into any, path []string, answers ...int) (int, error) {
	return g.send(ctx, web.Request{Method: method, Path: append(g.path[:len(g.path):len(g.path)], path...), Change: c, Answers: answers}, body, into)
}

func (g cell) send(ctx context.Context, r web.Request, body, into any) (int, error) {
	if r.Change.Credential.IsZero() {
		return 0, molecule.Errorf(molecule.Unauthenticated, "%s has no credential to be asked with", g.place).
			WithHint("write credential: and the secret that holds a token which may write secrets")
	}
	r.Header = http.Header{}
	r.Header.Set("Accept", "application/vnd.github+json")
	r.Header.Set("X-GitHub-Api-Version", apiVersion)
	r.Header.Set("Authorization", "Bearer "+r.Change.Credential.Reveal())
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, fmt.Errorf("%s: write the request: %w", g.place, err)
		}
		r.Body = text
		r.Header.Set("Content-Type", "application/json")
	}
	return g.client.Do(ctx, r, into)
}

// nonsense is the error for an answer that GitHub does not give.
func (g cell) nonsense(what string) error {
	return molecule.Errorf(molecule.Forbidden, "%s %s", g.place, what).WithHint("see that url: is that of the API")
}
