package github

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"golang.org/x/crypto/nacl/box"

	"github.com/molecule-ai/molecli/internal/vault/sink"
	"github.com/molecule-ai/molecli/internal/vault/sink/web"
)

// publicKey is what values are sealed for.
type publicKey struct {
	ID  string `json:"key_id"`
	Key string `json:"key"`
}

// write is what a secret is written with.
type write struct {
	EncryptedValue string  `json:"encrypted_value"`
	KeyID          string  `json:"key_id"`
	Visibility     string  `json:"visibility,omitempty"`
	Repositories   []int64 `json:"selected_repository_ids,omitzero"`
}

func (g cell) publicKey(ctx context.Context, c sink.Change) (publicKey, error) {
	var k publicKey
	_, err := g.ask(ctx, http.MethodGet, c, nil, &k, []string{"public-key"})
	return k, err
}

// seal puts a value into a sealed box of libsodium, which only the owner of the
// key opens.
func (k publicKey) seal(value string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(k.Key)
	if err != nil || len(raw) != 32 {
		return "", errors.New("gave a public key that is none")
	}
	sealed, err := box.SealAnonymous(nil, []byte(value), (*[32]byte)(raw), rand.Reader)
	return base64.StdEncoding.EncodeToString(sealed), err
}

// Who sees the secret of an organisation.
const (
	visibleToPrivate  = "private" // its private repositories: what a new one gets
	visibleToSelected = "selected"
)

// visibility returns the part of a write that says which repositories see the
// secret. A write that did not repeat it would change it.
func (g cell) visibility(ctx context.Context, c sink.Change) (write, error) {
	if g.org == "" {
		return write{}, nil
	}
	s, found, err := g.secret(ctx, c)
	if err != nil || !found {
		return write{Visibility: visibleToPrivate}, err
	}
	if s.Visibility != visibleToSelected {
		return write{Visibility: s.Visibility}, nil
	}
	ids, err := g.selected(ctx, c)
	return write{Visibility: visibleToSelected, Repositories: ids}, err
}

const (
	perPage  = 100
	maxPages = 100 // far more repositories than may be selected
)

// selected lists the repositories that see the secret, page by page.
func (g cell) selected(ctx context.Context, c sink.Change) ([]int64, error) {
	ids := []int64{} // none is said as well
	for page := 1; page <= maxPages; page++ {
		var list struct {
			Total        int `json:"total_count"`
			Repositories []struct {
				ID int64 `json:"id"`
			} `json:"repositories"`
		}
		path := append(g.path[:len(g.path):len(g.path)], g.name, "repositories")
		query := url.Values{"per_page": {strconv.Itoa(perPage)}, "page": {strconv.Itoa(page)}}
		if _, err := g.send(ctx, web.Request{Method: http.MethodGet, Path: path, Query: query, Change: c}, nil, &list); err != nil {
			return nil, err
		}
		for _, r := range list.Repositories {
			ids = append(ids, r.ID)
		}
		if len(ids) >= list.Total {
			return ids, nil
		}
		if len(list.Repositories) == 0 {
			break
		}
	}
	return nil, g.nonsense("does not list all repositories that see the secret")
}
