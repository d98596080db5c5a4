package inbox

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

const (
	reapLimit  = 500                // leases taken back in one turn
	pruneLimit = 2000               // rows forgotten in one turn
	keepFor    = 7 * 24 * time.Hour // rows that are done
	turnEvery  = 10 * time.Second
	pruneEvery = time.Hour
)

// Store is what the inbox needs of the store.
type Store interface {
	PostActivity(ctx context.Context, a *molecule.Activity) error
	LogActivity(ctx context.Context, a *molecule.Activity, tell bool) error
	Activities(ctx context.Context, f molecule.ActivityFilter) ([]molecule.Activity, error)
	HandOut(ctx context.Context, f molecule.ActivityFilter, now time.Time, lease time.Duration) ([]molecule.Activity, error)
	AnswerActivity(ctx context.Context, agentID string, names []string, a molecule.Answer) (runID, id string, err error)
	ActivityFate(ctx context.Context, id string) (molecule.Fate, error)
	CloseActivity(ctx context.Context, id string) (molecule.Fate, error)
	CloseForsaken(ctx context.Context) error
	ReapLeases(ctx context.Context, now time.Time, limit int) (agents []string, givenUp int, err error)
	PruneActivities(ctx context.Context, before time.Time, limit int) (int64, error)
}

// Options are what a Service needs.
type Options struct {
	Store Store
	OrgID string // of whose schedules and people the reply address is
	Log   *slog.Logger
}

// Service implements [molecule.Inbox] and delivers runs; its Run is the
// subsystem inbox.
type Service struct {
	store   Store
	log     *slog.Logger
	address string

	mu       sync.Mutex
	arrivals map[string]chan struct{} // by agent; closed when something comes, and then forgotten
	replies  map[string]chan struct{} // by row; the same

	pruned time.Time // when what is old was last forgotten; the subsystem's own
}

// New returns a Service.
func New(o Options) *Service {
	return &Service{
		store: o.Store, log: o.Log, address: ReplyAddress(o.OrgID),
		arrivals: make(map[string]chan struct{}), replies: make(map[string]chan struct{}),
	}
}

// ReplyAddress returns the id that stands for the schedules and the people of an
// organisation: the same at every start, and another for each.
func ReplyAddress(orgID string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("molecule:reply/"+orgID)).String()
}

// ReplyAddress returns the reserved id to reply to.
func (s *Service) ReplyAddress() string { return s.address }

// Post puts a message into the inbox of an agent.
func (s *Service) Post(ctx context.Context, a *molecule.Activity) error {
	a.Type = molecule.ActivityReceive
	if err := s.store.PostActivity(ctx, a); err != nil {
		return fmt.Errorf("post to the inbox of %s: %w", a.AgentID, err)
	}
	s.wake(s.arrivals, a.AgentID)
	return nil
}

// Log keeps a row that nobody has to ask for.
func (s *Service) Log(ctx context.Context, a *molecule.Activity) error {
	if err := s.store.LogActivity(ctx, a, false); err != nil {
		return err
	}
	s.wake(s.arrivals, a.AgentID)
	return nil
}

// Activities returns rows of an agent.
func (s *Service) Activities(ctx context.Context, f molecule.ActivityFilter) ([]molecule.Activity, error) {
	if f.Limit <= 0 || f.Limit > molecule.MaxActivities {
		f.Limit = molecule.MaxActivities
	}
	if !f.HandOut {
		return s.store.Activities(ctx, f)
	}
	return s.store.HandOut(ctx, f, molecule.Now(), molecule.ActivityLease)
}

// Arrivals returns a channel that is closed when something new comes for an
// agent.
func (s *Service) Arrivals(agentID string) <-chan struct{} { return s.listen(s.arrivals, agentID) }

// Answer takes what an agent replies.
func (s *Service) Answer(ctx context.Context, agentID string, names []string, a molecule.Answer) (string, error) {
	runID, id, err := s.store.AnswerActivity(ctx, agentID, names, a)
	if err != nil {
		return "", fmt.Errorf("answer of %s: %w", agentID, err)
	}
	if runID != "" {
		s.wake(s.replies, id)
		return runID, nil
	}
	return "", s.tell(ctx, agentID, molecule.TextOf(a.Parts))
}

// tell keeps what an agent says to nobody in particular, for people to read. It
// is a message and no change that the agent asks for.
func (s *Service) tell(ctx context.Context, agentID, text string) error {
	return s.store.LogActivity(molecule.WithPrincipal(ctx, molecule.Daemon()), &molecule.Activity{
		AgentID: agentID, Type: molecule.ActivitySend, SourceID: agentID, TargetID: s.address,
		Method: "notify", Summary: molecule.Excerpt(text, molecule.MaxReplyRunes),
	}, true)
}

// listen returns the channel that wake closes.
func (s *Service) listen(at map[string]chan struct{}, key string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at[key] == nil {
		at[key] = make(chan struct{})
	}
	return at[key]
}

func (s *Service) wake(at map[string]chan struct{}, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := at[key]; c != nil {
		close(c)
		delete(at, key)
	}
}

// Run takes back leases that ran out and forgets what is old, until ctx ends.
func (s *Service) Run(ctx context.Context, beat *supervised.Beat) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		err := beat.Tick(ctx, func(ctx context.Context) error { return s.tidy(ctx, molecule.Now()) })
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "tidy the inbox", "err", err) // no heartbeat: turns stale
		}
		timer.Reset(turnEvery)
	}
}

// tidy is one turn of the subsystem.
func (s *Service) tidy(ctx context.Context, now time.Time) error {
	agents, givenUp, err := s.store.ReapLeases(ctx, now, reapLimit)
	if err != nil {
		return fmt.Errorf("take back leases: %w", err)
	}
	for _, id := range agents {
		s.wake(s.arrivals, id)
	}
	if givenUp > 0 {
		s.log.WarnContext(ctx, "messages were handed out in vain", "rows", givenUp, "times", molecule.MaxHandOuts)
	}
	if err := s.store.CloseForsaken(ctx); err != nil {
		return fmt.Errorf("close what was forsaken: %w", err)
	}
	if now.Sub(s.pruned) < pruneEvery {
		return nil
	}
	n, err := s.store.PruneActivities(ctx, now.Add(-keepFor), pruneLimit)
	if err != nil {
		return fmt.Errorf("forget old activities: %w", err)
	}
	if n < pruneLimit { // else there is more
		s.pruned = now
	}
	return nil
}
