package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// Exporter keeps heads of the trail elsewhere; its Run is the subsystem
// audit-exporter. Whoever can write the database can write a whole new trail
// that is sound in itself, but not one that holds what was kept elsewhere.
type Exporter struct {
	Store Store
	Every time.Duration
	File  string // heads are added to it, one JSON object a line; empty is none
	// Post sends one head, as JSON, to where the operator wants it; nil is
	// nowhere.
	Post func(ctx context.Context, body []byte) error

	last molecule.AuditHead // that was exported
}

// Run exports the head at once and then after each interval, if there is a new
// one, until ctx ends. What failed is tried again.
func (e *Exporter) Run(ctx context.Context, beat *supervised.Beat) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		rest := e.Every
		if err := beat.Tick(ctx, e.export); err != nil {
			rest = min(rest, time.Minute)
		}
		timer.Reset(rest)
	}
}

func (e *Exporter) export(ctx context.Context) error {
	head, err := e.Store.AuditHead(ctx)
	if err != nil {
		return fmt.Errorf("read the head of the audit trail: %w", err)
	}
	if head.ID == 0 || head == e.last {
		return nil
	}
	body, err := json.Marshal(head)
	if err != nil {
		return err
	}
	err = e.append(append(body, '\n'))
	if e.Post != nil {
		err = errors.Join(err, e.Post(ctx, body))
	}
	if err != nil {
		return fmt.Errorf("export the head of the audit trail: %w", err)
	}
	e.last = head
	return nil
}

// append adds a line to the file, and makes it last.
func (e *Exporter) append(line []byte) error {
	if e.File == "" {
		return nil
	}
	f, err := os.OpenFile(e.File, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(line)
	return errors.Join(err, f.Sync(), f.Close())
}
