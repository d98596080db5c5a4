package incident

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	exitWindow  = 10 * time.Minute // two exits within it are restarts that repeat
	settleAfter = time.Minute      // healthy for so long: they do no longer
)

// subsystems turns transitions into incidents: one that is stale, stuck, failed
// or started again and again opens one, and healthy closes it.
type subsystems struct {
	keeper *Keeper

	mu     sync.Mutex
	health map[string]*health // by name
}

// health is what is remembered of one subsystem.
type health struct {
	exits      []time.Time // within exitWindow
	restarting bool        // its incident is about restarts: between two it looks healthy
	healthy    time.Time   // since when; zero when it is not
}

func newSubsystems(k *Keeper) *subsystems {
	return &subsystems{keeper: k, health: make(map[string]*health)}
}

func subsystemSubject(name string) string { return "subsystem/" + name }

// only closes what is open of subsystems that are not there any more.
func (s *subsystems) only(names []string) {
	now := molecule.Now()
	s.keeper.change(func(m *memory) error {
		for k := range m.open {
			name := strings.TrimPrefix(k.subject, subsystemSubject(""))
			if k.kind == molecule.IncidentSubsystem && !slices.Contains(names, name) {
				m.close(k, now)
			}
		}
		return nil
	})
}

// observe takes transitions over. It never fails.
func (s *subsystems) observe(_ context.Context, events []molecule.SubsystemEvent) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		h := s.health[e.Subsystem]
		if h == nil {
			h = new(health)
			s.health[e.Subsystem] = h
		}
		s.step(h, e)
	}
	return nil
}

func (s *subsystems) step(h *health, e molecule.SubsystemEvent) {
	switch e.To {
	case molecule.SubsystemHealthy:
		if h.healthy = e.At; !h.restarting {
			s.keeper.Close(molecule.IncidentSubsystem, subsystemSubject(e.Subsystem), e.At)
		}
		return
	case molecule.SubsystemStarting, molecule.SubsystemStopped:
		return // how every life begins and ends
	case molecule.SubsystemBackoff:
		h.exits = append(slices.DeleteFunc(h.exits, func(t time.Time) bool { return e.At.Sub(t) > exitWindow }), e.At)
		if len(h.exits) < 2 {
			h.healthy = time.Time{}
			return
		}
		h.restarting = true
	}
	h.healthy = time.Time{}
	s.keeper.Open(molecule.Incident{
		Kind: molecule.IncidentSubsystem, Subject: subsystemSubject(e.Subsystem), Severity: severity(e.To),
		Title: title(e, len(h.exits)), LastSeen: e.At, Evidence: evidence(e, len(h.exits)),
	})
}

// settle closes the incidents of subsystems that have stopped to restart.
func (s *subsystems) settle(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, h := range s.health {
		if h.restarting && !h.healthy.IsZero() && now.Sub(h.healthy) >= settleAfter {
			h.restarting, h.exits = false, nil
			s.keeper.Close(molecule.IncidentSubsystem, subsystemSubject(name), now)
		}
	}
}

// severity is critical where nothing heals by itself soon.
func severity(to molecule.SubsystemState) molecule.Severity {
	if to == molecule.SubsystemStuck || to == molecule.SubsystemFailed {
		return molecule.SeverityCritical
	}
	return molecule.SeverityWarning
}

func title(e molecule.SubsystemEvent, exits int) string {
	switch e.To {
	case molecule.SubsystemStuck:
		if e.BlockedIn != "" {
			return fmt.Sprintf("%s is stuck in %s", e.Subsystem, e.BlockedIn)
		}
		return e.Subsystem + " is stuck"
	case molecule.SubsystemFailed:
		return e.Subsystem + " failed and is given up"
	case molecule.SubsystemBackoff:
		return fmt.Sprintf("%s has ended %d times in %s", e.Subsystem, exits, molecule.Duration(exitWindow))
	}
	return e.Subsystem + " has finished no turn in time"
}

func evidence(e molecule.SubsystemEvent, exits int) molecule.Evidence {
	out := molecule.Evidence{
		Error: e.Error, BlockedIn: e.BlockedIn, Stack: e.Stack,
		Facts: map[string]string{"state": string(e.To), "before": string(e.From)},
	}
	if exits > 0 {
		out.Facts["exits"] = strconv.Itoa(exits)
	}
	return out
}
