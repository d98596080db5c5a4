package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
	"github.com/molecule-ai/molecli/internal/vault/sink/web"
)

// read reads a version; 0 is the current one.
func (k cell) read(ctx context.Context, c sink.Change, version int) (secret, error) {
	r := web.Request{Method: http.MethodGet, Path: k.at("data"), Answers: []int{http.StatusNotFound}, Change: c}
	if version > 0 {
		r.Query = url.Values{"version": {strconv.Itoa(version)}}
	}
	var a answer[*secret]
	status, err := k.send(ctx, r, nil, &a)
	switch {
	case err != nil:
		return secret{}, err
	case a.Data != nil: // also a version that was deleted, with 404
		return *a.Data, nil
	case status == http.StatusOK:
		return secret{}, k.noStore()
	case len(a.Errors) > 0: // of a path that nothing is mounted at
		return secret{}, molecule.Errorf(molecule.NotFound, "%s: nothing is mounted there", k.place).
			WithHint("see mount: and namespace:").WithCause(errors.New(sink.Quote(strings.Join(a.Errors, "; "), c)))
	}
	return secret{}, k.mounted(ctx, c)
}

// mounted checks that the mount is a KV store of version 2. One of version 1
// answers about a secret there is not in the same way, and would take what is
// written for a secret called data.
func (k cell) mounted(ctx context.Context, c sink.Change) error {
	var a answer[struct {
		Type    string            `json:"type"`
		Options map[string]string `json:"options"`
	}]
	at := slices.Concat([]string{"v1", "sys", "internal", "ui", "mounts"}, k.mount, k.path)
	_, err := k.ask(ctx, http.MethodGet, c, at, nil, &a)
	if err == nil && (a.Data.Type != "kv" || a.Data.Options["version"] != "2") {
		return k.noStore()
	}
	return err
}

func (k cell) noStore() error {
	return molecule.Errorf(molecule.Invalid, "%s: the mount is no KV store of version 2", k.place).
		WithHint("see mount:, or make it one: bao kv enable-versioning %s", strings.Join(k.mount, "/"))
}

// writable asks what the token may do with the secret.
func (k cell) writable(ctx context.Context, c sink.Change, exists bool) error {
	path := strings.Join(k.at("data")[1:], "/")
	var a answer[map[string][]string]
	status, err := k.ask(ctx, http.MethodPost, c, []string{"v1", "sys", "capabilities-self"}, map[string][]string{"paths": {path}}, &a, http.StatusForbidden)
	if err != nil || status == http.StatusForbidden {
		return err // a token that may not ask: the first write shows it
	}
	need := "create"
	if exists {
		need = "update"
	}
	if may := a.Data[path]; slices.Contains(may, "root") || slices.Contains(may, need) {
		return nil
	}
	return molecule.Errorf(molecule.Forbidden, "%s: the token may not %s it", k.place, need).
		WithHint("give it a policy with %s on %s", need, path)
}

// at returns the path of the secret under one of the parts of a store.
func (k cell) at(part string) []string {
	return slices.Concat([]string{"v1"}, k.mount, []string{part}, k.path)
}

func (k cell) ask(ctx context.Context, method string, c sink.Change, path []string, body, into any, answers ...int) (int, error) {
	return k.send(ctx, web.Request{Method: method, Path: path, Change: c, Answers: answers}, body, into)
}

// send sends one request, and tells apart what the server means by its errors.
func (k cell) send(ctx context.Context, r web.Request, body, into any) (int, error) {
	token := r.Change.Credential
	if token.IsZero() {
		return 0, molecule.Errorf(molecule.Unauthenticated, "%s has no credential to be asked with", k.place).
			WithHint("write credential: and the secret that holds a token")
	}
	r.Header = http.Header{}
	r.Header.Set("X-Vault-Token", token.Reveal())
	r.Header.Set("X-Vault-Request", "true") // an agent in between asks for it
	if k.namespace != "" {
		r.Header.Set("X-Vault-Namespace", k.namespace)
	}
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, fmt.Errorf("%s: write the request: %w", k.place, err)
		}
		r.Body = text
		r.Header.Set("Content-Type", "application/json")
	}
	status, err := k.client.Do(ctx, r, into)
	switch {
	case err == nil:
		return status, nil
	case status == http.StatusServiceUnavailable:
		return status, molecule.Errorf(molecule.Unavailable, "%s is sealed, or not in service", k.place).WithHint("unseal it, or try again later").WithCause(err)
	case status == http.StatusPreconditionFailed: // of a standby that lags behind
		return status, molecule.Errorf(molecule.Unavailable, "%s is not up to date yet", k.place).WithHint("try again").WithCause(err)
	case status == http.StatusForbidden && molecule.CodeOf(err) == molecule.Forbidden && !slices.Equal(r.Path, lookupSelf):
		return status, k.forbidden(ctx, r.Change, err)
	}
	return status, err
}

var lookupSelf = []string{"v1", "auth", "token", "lookup-self"}

// forbidden tells a token that is dead from one that may not: the server says
// the same to both, but any living token may ask about itself.
func (k cell) forbidden(ctx context.Context, c sink.Change, cause error) error {
	status, err := k.ask(ctx, http.MethodGet, c, lookupSelf, nil, nil)
	switch status {
	case http.StatusForbidden:
		return molecule.Errorf(molecule.Unauthenticated, "%s does not know the token", k.place).
			WithHint("see that the credential of the sink is still alive").WithCause(cause)
	case 0:
		return err // nobody answers any more
	}
	return cause
}
