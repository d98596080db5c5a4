package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// SetCard replaces the card of an agent.
func (s *Service) SetCard(ctx context.Context, agentID string, card json.RawMessage) error {
	if err := s.checkCard(card); err != nil {
		return err
	}
	a, err := s.store.Member(ctx, agentID)
	if err != nil || sameJSON(a.Card, card) {
		return err
	}
	_, err = s.store.UpdateAgent(ctx, agentID, func(a *molecule.Agent) error {
		a.Card = card
		return nil
	})
	return err
}

// Member returns one agent by its whole id, also one that was removed.
func (s *Service) Member(ctx context.Context, agentID string) (molecule.Agent, error) {
	return s.seen(s.store.Member(ctx, agentID))
}

// Members returns every agent, by name.
func (s *Service) Members(ctx context.Context) ([]molecule.Agent, error) {
	return s.allSeen(s.store.Members(ctx))
}

// Peers returns who is next to an agent, by name.
func (s *Service) Peers(ctx context.Context, agentID string) ([]molecule.Agent, error) {
	return s.allSeen(s.store.Peers(ctx, agentID))
}

// Lineage returns who is above an agent.
func (s *Service) Lineage(ctx context.Context, agentID string) (molecule.Lineage, error) {
	return s.store.Lineage(ctx, agentID)
}

// checkCard refuses a card that is no object or that would send others to an
// address they must not call. remote: is how an agent says that nobody can.
func (s *Service) checkCard(raw json.RawMessage) error {
	type place struct {
		URL string `json:"url"`
	}
	var card struct {
		place
		SupportedInterfaces  []place `json:"supportedInterfaces"`
		AdditionalInterfaces []place `json:"additionalInterfaces"`
	}
	if trimmed := bytes.TrimSpace(raw); len(trimmed) == 0 || trimmed[0] != '{' {
		return molecule.Errorf(molecule.Invalid, "agent_card must be an object")
	}
	if err := json.Unmarshal(raw, &card); err != nil {
		return molecule.Errorf(molecule.Invalid, "agent_card: a url is no text, or a list of interfaces is none").WithCause(err)
	}
	for _, p := range append(append(card.SupportedInterfaces, card.AdditionalInterfaces...), card.place) {
		if p.URL == "" || strings.HasPrefix(p.URL, remoteScheme) {
			continue
		}
		if _, err := s.addresses.CheckURL(p.URL); err != nil {
			return fmt.Errorf("agent_card: %w", err)
		}
	}
	return nil
}

// remoteScheme is how the URL of an agent begins that nobody can call.
const remoteScheme = "remote://"

// sameJSON reports whether two values are the same but for blanks and the order
// of members.
func sameJSON(one, two json.RawMessage) bool {
	if bytes.Equal(one, two) {
		return true
	}
	var a, b any
	if json.Unmarshal(one, &a) != nil || json.Unmarshal(two, &b) != nil {
		return false
	}
	return reflect.DeepEqual(a, b)
}
