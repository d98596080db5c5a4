package vault

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite/sqlitetest"
)

// askers is how many ask at once, for each core: each waits for the disk.
const askers = 16

// BenchmarkPut stores secrets of 40 bytes, each durably and with its event and its
// row of the audit trail.
func BenchmarkPut(b *testing.B) {
	s, _ := opened(b, ring())
	ctx := admin(b.Context())
	text := strings.Repeat("v", 40)
	var n atomic.Int64
	b.SetParallelism(askers)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.AddSecret(ctx, value(fmt.Sprintf("S%d", n.Add(1)), text)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
}

// BenchmarkGet reads versions in use from a store of 1,000 secrets and opens them.
func BenchmarkGet(b *testing.B) {
	s, _ := opened(b, ring())
	ctx := admin(b.Context())
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("S%d", i)
		if _, err := s.AddSecret(ctx, value(names[i], strings.Repeat("v", 40))); err != nil {
			b.Fatal(err)
		}
	}
	var n atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := s.Value(ctx, names[n.Add(1)%int64(len(names))]); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "gets/s")
}

// BenchmarkRewrap wraps 100,000 versions anew while somebody reads one version
// after the other, and tells the longest that a reader has waited.
func BenchmarkRewrap(b *testing.B) {
	old := ring()
	dir := b.TempDir()
	db := sqlitetest.OpenDir(b, dir)
	s := NewService(db, old)
	ctx := admin(b.Context())
	if _, err := s.AddSecret(ctx, value("READ", "what is read meanwhile")); err != nil {
		b.Fatal(err)
	}
	many(b, dir, old, 100_000)
	b.ResetTimer()
	var waited []time.Duration
	for range b.N {
		next := &Keyring{current: newKey(), previous: &old.current}
		reads := reading(ctx, b, NewService(db, next))
		out, err := NewService(db, next).RewrapSecrets(ctx)
		waited = append(waited, reads()...)
		if err != nil || out.Versions != 100_001 || out.Left != 0 {
			b.Fatalf("got %+v, %v", out, err)
		}
		old = next
	}
	b.ReportMetric(float64(slices.Max(waited).Microseconds())/1000, "longest-read-ms")
	b.ReportMetric(float64(len(waited))/float64(b.N), "reads")
}

// many stores versions beside the program, in one transaction.
func many(tb testing.TB, dir string, r *Keyring, versions int) {
	tb.Helper()
	const then = "2026-01-01T00:00:00.000Z"
	body := bytes.Repeat([]byte("v"), 40)
	sqlitetest.Raw(tb, dir, func(tx *sql.Tx) error {
		for i := range versions {
			id, version := fmt.Sprintf("secret-%06d", i/molecule.KeptVersions), i%molecule.KeptVersions+1
			v, err := r.seal(id, version, body)
			if err != nil {
				return err
			}
			if version == 1 {
				if _, err := tx.Exec(`INSERT INTO secrets (id, name, class, current, created_at, updated_at) VALUES (?, ?, 'minted', ?, ?, ?)`,
					id, id, molecule.KeptVersions, then, then); err != nil {
					return err
				}
			}
			state := molecule.VersionRetired
			if version == molecule.KeptVersions {
				state = molecule.VersionCurrent
			}
			if _, err := tx.Exec(`
				INSERT INTO secret_versions (secret_id, version, state, key_id, wrapped, body, fingerprint, sameness, bytes, created_at)
				VALUES (?, ?, ?, ?, ?, ?, '', '', ?, ?)`, id, version, string(state), v.KeyID, v.Wrapped, v.Body, v.Bytes, then); err != nil {
				return err
			}
		}
		return nil
	})
}

// reading reads until it is told to stop, and then returns how long each read took.
func reading(ctx context.Context, b *testing.B, s *Service) (stop func() []time.Duration) {
	b.Helper()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan []time.Duration)
	go func() {
		var waited []time.Duration
		for ctx.Err() == nil {
			at := time.Now()
			if _, _, err := s.Value(ctx, "READ"); err != nil && ctx.Err() == nil {
				b.Error(err)
			}
			waited = append(waited, time.Since(at))
		}
		done <- waited
	}()
	return func() []time.Duration {
		cancel()
		return <-done
	}
}
