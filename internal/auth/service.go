package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// ServiceStore is where a Service keeps tokens.
type ServiceStore interface {
	CreateToken(ctx context.Context, t *molecule.Token) error
	RevokeToken(ctx context.Context, id string) (molecule.Token, error)
}

// Service implements [molecule.TokenService].
type Service struct {
	store  ServiceStore
	tokens *Tokens
}

// NewService returns a Service that keeps tokens in store, and in memory as
// soon as they are stored.
func NewService(store ServiceStore, tokens *Tokens) *Service {
	return &Service{store: store, tokens: tokens}
}

// CreateToken makes a token of an operator.
func (s *Service) CreateToken(ctx context.Context, in *molecule.NewToken) error {
	if err := in.Validate(); err != nil {
		return err
	}
	by := molecule.PrincipalFrom(ctx)
	for _, scope := range in.Scopes {
		if !by.May(scope) {
			return molecule.Errorf(molecule.Forbidden, "%s cannot give away the scope %s: it does not have it", by.Name, scope).
				WithHint("an administrator on the socket may: molecli token add")
		}
	}
	now := molecule.Now()
	for _, t := range s.tokens.all() {
		if t.Kind == molecule.TokenOperator && t.Name == in.Name && t.Live(now) {
			return molecule.Errorf(molecule.Conflict, "token %s is called %q already", t.ID, in.Name).
				WithHint("choose another name, or revoke it: molecli token revoke %s", t.ID)
		}
	}
	life := time.Duration(in.ExpiresIn)
	if life == 0 {
		life = molecule.DefaultTokenLife
	}
	scopes := slices.Compact(slices.Sorted(slices.Values(in.Scopes)))
	t, secret, err := Mint(molecule.TokenOperator, in.Name, scopes, now, now.Add(life))
	if err != nil {
		return err
	}
	t.CreatedBy = by.Name
	if err := s.store.CreateToken(ctx, &t); err != nil {
		return fmt.Errorf("store a token: %w", err)
	}
	s.tokens.Put(t)
	in.ID, in.Scopes, in.ExpiresIn = t.ID, t.Scopes, molecule.Duration(life)
	in.ExpiresAt, in.Token = t.ExpiresAt, molecule.Show(secret)
	return nil
}

// Tokens lists what is known of every token, newest first.
func (s *Service) Tokens(context.Context) ([]molecule.Token, error) { return s.tokens.all(), nil }

// RevokeToken makes a token good for nothing.
func (s *Service) RevokeToken(ctx context.Context, ref string) (molecule.Token, error) {
	t, err := s.find(ref)
	if err != nil {
		return molecule.Token{}, err
	}
	if !t.RevokedAt.IsZero() {
		return molecule.Token{}, molecule.Errorf(molecule.Conflict, "token %s was revoked at %s", t.ID, t.RevokedAt.Format(time.RFC3339))
	}
	revoked, err := s.store.RevokeToken(ctx, t.ID)
	if err != nil {
		return molecule.Token{}, fmt.Errorf("revoke a token: %w", err)
	}
	s.tokens.Put(revoked)
	return revoked, nil
}

// find returns the token that ref means: the live one of that name, or the only
// one whose id begins with it.
func (s *Service) find(ref string) (molecule.Token, error) {
	now := molecule.Now()
	var named, prefixed []molecule.Token
	for _, t := range s.tokens.all() {
		if t.Name == ref && t.Live(now) {
			named = append(named, t)
		}
		if ref != "" && strings.HasPrefix(t.ID, strings.ToLower(ref)) {
			prefixed = append(prefixed, t)
		}
	}
	found := named
	if len(found) == 0 {
		found = prefixed
	}
	switch len(found) {
	case 0:
		return molecule.Token{}, molecule.Errorf(molecule.NotFound, "no token is called %q", molecule.Excerpt(ref, 40)).WithHint("molecli token list")
	case 1:
		return found[0], nil
	}
	var ids []string
	for _, t := range found[:min(len(found), 5)] {
		ids = append(ids, t.ID)
	}
	return molecule.Token{}, molecule.Errorf(molecule.Invalid, "token %q is ambiguous: %s", molecule.Excerpt(ref, 40), strings.Join(ids, ", ")).
		WithHint("give the id")
}

// WhoAmI tells the caller who he is taken for.
func (s *Service) WhoAmI(ctx context.Context) (molecule.Identity, error) {
	p := molecule.PrincipalFrom(ctx)
	id := molecule.Identity{Name: p.Name, Source: p.Source, Scopes: p.Scopes, Fresh: p.Fresh}
	if t, ok := s.tokens.token(p.TokenID); ok {
		id.Token, id.ExpiresAt = t.Name, t.ExpiresAt
	}
	return id, nil
}
