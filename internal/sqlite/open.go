package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	fileName = "moleculed.db"
	readers  = 4
)

// Options are what Open needs beside the directory.
type Options struct {
	Log       *slog.Logger
	Migrating func(version int64) // called before each migration of a store that is there; may be nil
	Backups   string              // directory of the copies kept before migrations; "" means one in the data directory

	steps fs.FS // the migrations; nil means those of this program
}

// DB is an open store. Its methods may be called from any goroutine.
type DB struct {
	log       *slog.Logger
	lock      *lock
	writer    *sql.DB // one connection, used by RunWriter only
	reader    *sql.DB
	reads     *statements
	path      string
	schema    int64
	jobs      chan *job     // never closed; unbuffered: a job waits with its caller
	walks     chan *walk    // the same for changes that take long
	committed chan struct{} // never closed; one signal is enough
	version   atomic.Uint64 // see Version
	schedules atomic.Uint64 // changes with every commit that tells of a schedule itself
	active    atomic.Pointer[activeCount]
	watch     watchList     // see AgentChanges
	closed    chan struct{} // closed by Close
	closeOnce sync.Once
}

// Open takes the lock on dir, brings its database to the newest schema and
// opens it. A missing directory is made. Errors are Conflict for a directory
// in use or a schema that is newer than this program, Forbidden for a
// directory that is not ours or cannot be written.
func Open(ctx context.Context, dir string, opts Options) (*DB, error) {
	held, err := occupy(dir, opts.Log)
	if err != nil {
		return nil, err
	}
	db := &DB{
		watch: watchList{some: make(chan struct{}, 1)},
		log:   opts.Log, lock: held, path: filepath.Join(dir, fileName),
		jobs: make(chan *job), walks: make(chan *walk), committed: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	if opts.steps == nil {
		opts.steps = embedded()
	}
	if err := db.open(ctx, opts); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// occupy takes the lock on dir and brings what a restore has left unfinished to
// its end.
func occupy(dir string, log *slog.Logger) (*lock, error) {
	if err := prepareDir(dir, log); err != nil {
		return nil, err
	}
	held, err := takeLock(dir)
	if err != nil {
		return nil, err
	}
	if _, err := finishRestore(dir, log); err != nil {
		return nil, errors.Join(err, held.release())
	}
	if err := SweepPartials(dir); err != nil {
		log.Warn("remove what is left of backups", "dir", dir, "err", err)
	}
	return held, nil
}

// open migrates the file and opens both pools.
func (db *DB) open(ctx context.Context, opts Options) error {
	path := db.path
	if err := createPrivate(path); err != nil {
		return err
	}
	if err := refuseNewer(ctx, path, opts.steps); err != nil {
		return err
	}
	var err error
	db.writer, err = sql.Open("sqlite", dsn(path, "rw", "_txlock=immediate",
		"_pragma=cache_size(-16000)", "_pragma=wal_autocheckpoint(4000)"))
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	db.writer.SetMaxOpenConns(1)
	how := migration{steps: opts.steps, tell: opts.Migrating, keep: db.keepCopy(opts.Backups)}
	if db.schema, err = migrate(ctx, db.writer, how); err != nil {
		return fmt.Errorf("migrate store: %w", translate(err))
	}
	if db.reader, err = sql.Open("sqlite", dsn(path, "ro", "_pragma=query_only(1)")); err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	db.reader.SetMaxOpenConns(readers)
	db.reader.SetMaxIdleConns(readers)
	db.reads = newStatements(db.reader)
	return nil
}

// Version returns a number that changes with every commit that has an event,
// before the caller of the change is answered.
func (db *DB) Version() uint64 { return db.version.Load() }

// Size returns how many bytes the store takes on disk, with what is not yet
// merged into the file itself.
func (db *DB) Size() int64 {
	var bytes int64
	for _, path := range []string{db.path, db.path + "-wal"} {
		if info, err := os.Stat(path); err == nil { // no such file: nothing is unmerged
			bytes += info.Size()
		}
	}
	return bytes
}

// dsn names a file and the pragmas each pooled connection gets. Only the file:
// form honours the mode.
func dsn(path, mode string, more ...string) string {
	q := append([]string{
		"mode=" + mode,
		"_pragma=busy_timeout(5000)",
		"_pragma=journal_mode(WAL)",
		"_pragma=synchronous(FULL)",
		"_pragma=foreign_keys(1)",
		"_pragma=secure_delete(1)",
		"_pragma=temp_store(MEMORY)",
	}, more...)
	if mode == "ro" {
		q = append(q[:2], q[4:]...) // a reader cannot set the journal mode
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + strings.Join(q, "&")
}

// createPrivate makes the file before SQLite would, which knows no mode, or
// checks that it is ours alone: whoever could write into the directory before
// it was closed may have laid a link there.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return molecule.Errorf(molecule.Forbidden, "cannot open %s: %v", path, err).
			WithHint("the daemon's user must own the data directory, and the file must be no link")
	}
	info, err := f.Stat()
	if err == nil {
		err = ownedByUs(path, info)
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = f.Chmod(0o600)
	}
	return errors.Join(err, f.Close())
}

// SchemaVersion returns the number of the newest migration.
func (db *DB) SchemaVersion() int64 { return db.schema }

// Committed signals, at least once after each commit that holds an event. It
// is meant for one reader and never closed.
func (db *DB) Committed() <-chan struct{} { return db.committed }

// Close refuses further changes, closes the readers, then the writer, then
// gives the lock back. A second call does nothing.
func (db *DB) Close() error {
	var err error
	db.closeOnce.Do(func() {
		close(db.closed)
		if db.reads != nil {
			err = errors.Join(err, db.reads.close())
		}
		for _, pool := range []*sql.DB{db.reader, db.writer} {
			if pool != nil {
				err = errors.Join(err, pool.Close())
			}
		}
		err = errors.Join(err, db.lock.release())
	})
	return err
}
