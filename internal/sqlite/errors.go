package sqlite

import (
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// translate turns a result code of SQLite into one of ours. It is the only
// place that knows them; an error that is not SQLite's passes through.
func translate(err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	if _, coded := errors.AsType[*molecule.Error](err); coded {
		return err
	}
	switch e.Code() & 0xff { // the primary code
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return molecule.Errorf(molecule.Unavailable, "the store is locked by another process").
			WithHint("close whatever has the database file open").WithCause(err)
	case sqlite3.SQLITE_FULL:
		return molecule.Errorf(molecule.Unavailable, "the disk of the data directory is full").
			WithHint("make room; the daemon goes on by itself").WithCause(err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return molecule.Errorf(molecule.Unavailable, "the data directory cannot be written").
			WithHint("check its file system, owner and mode").WithCause(err)
	case sqlite3.SQLITE_IOERR:
		return molecule.Errorf(molecule.Unavailable, "the data directory's disk fails").
			WithHint("look at the kernel's log").WithCause(err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return molecule.Errorf(molecule.Unavailable, "the database file is damaged").
			WithHint("stop the daemon and restore a copy").WithCause(err)
	case sqlite3.SQLITE_CONSTRAINT:
		return molecule.Errorf(molecule.Conflict, "the change contradicts what is stored").WithCause(err)
	case sqlite3.SQLITE_INTERRUPT:
		return molecule.Errorf(molecule.Timeout, "the store took too long").WithCause(err)
	}
	return err
}

// translateCopy is translate for what was read here and written into dir, which
// may be on another disk.
func translateCopy(err error, dir string) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch e.Code() & 0xff { // the primary code
	case sqlite3.SQLITE_FULL:
		return molecule.Errorf(molecule.Unavailable, "the disk of %s is full", dir).
			WithHint("make room, or name a directory on another disk").WithCause(err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR:
		return molecule.Errorf(molecule.Unavailable, "the copy cannot be written into %s, or the database cannot be read", dir).
			WithHint("check the file system, owner and mode of both").WithCause(err)
	}
	return translate(err)
}

// unique reports whether err is the violation of a unique index.
func unique(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}
