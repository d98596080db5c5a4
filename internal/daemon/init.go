package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/molecule-ai/molecli/config"
	"github.com/molecule-ai/molecli/internal/auth"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/sqlite"
	"github.com/molecule-ai/molecli/internal/supervised"
)

// tokenFile is the file in the data directory that holds the first token.
const tokenFile = "admin.token"

// firstTokenLife is how long the first token is good for: 90 days, as every
// operator's.
const firstTokenLife = 90 * 24 * time.Hour

// Made names what Init made or found.
type Made struct{ Dir, Config, Token, Key string }

// Init makes the data directory, the master key, the first token and the configuration file;
// an empty path puts the last into the first. It refuses, with Conflict, a
// directory that a daemon is using.
func Init(ctx context.Context, cfg Config, path string, log *slog.Logger) (Made, error) {
	dir, err := cfg.Dir()
	if err != nil {
		return Made{}, err
	}
	store, err := sqlite.Open(ctx, dir, sqlite.Options{Log: log})
	if err != nil {
		return Made{}, err
	}
	made := Made{Dir: dir, Config: path, Token: filepath.Join(dir, tokenFile), Key: cfg.Secrets.sources(dir).Current}
	if path == "" {
		made.Config = filepath.Join(dir, "moleculed.yaml")
	}
	if _, err = unlock(ctx, store, cfg.Secrets, dir, log); err == nil {
		err = withWriter(ctx, store, func(ctx context.Context) error {
			_, err := firstToken(ctx, store, dir, log)
			return err
		})
	}
	if cerr := store.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return Made{}, err
	}
	return made, writeConfig(made.Config, dir, cfg)
}

// withWriter runs do while the store takes writes.
func withWriter(ctx context.Context, store *sqlite.DB, do func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var writer sync.WaitGroup
	defer writer.Wait()
	defer cancel()
	writer.Go(func() {
		// Its end is ours: do then fails with the store's own words.
		_ = supervised.RunWithRecover(ctx, supervised.Spec{Name: "store-writer", Run: store.RunWriter, Every: 30 * time.Second})
	})
	return do(ctx)
}

// firstToken makes the administrator's token when no operator has a live
// one, and writes it to a file only its owner can read. It returns nil when it
// made none.
func firstToken(ctx context.Context, store *sqlite.DB, dir string, log *slog.Logger) (*molecule.Token, error) {
	now := molecule.Now()
	tokens, err := store.Tokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	for _, t := range tokens {
		if t.Kind == molecule.TokenOperator && t.Live(now) {
			return nil, nil
		}
	}
	token, secret, err := auth.Mint(molecule.TokenOperator, "admin", []molecule.Scope{molecule.ScopeAdmin}, now, now.Add(firstTokenLife))
	if err != nil {
		return nil, err
	}
	token.CreatedBy = molecule.Daemon().Name
	// The file first: a token in the store that nobody holds could never be used,
	// and would keep the next start from making one.
	path := filepath.Join(dir, tokenFile)
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, molecule.Errorf(molecule.Forbidden, "cannot replace %s: %v", path, err)
	}
	if err := auth.WriteTokenFile(path, secret); err != nil {
		return nil, err
	}
	if err := store.CreateToken(ctx, &token); err != nil {
		return nil, fmt.Errorf("store the first token: %w", err)
	}
	log.Info("made the first token", "file", path, "expires_at", token.ExpiresAt)
	return &token, nil
}

// newLogger returns the logger the configuration asks for.
func newLogger(w io.Writer, cfg LogConfig) *slog.Logger {
	return newLeveled(w, cfg, levelOf(cfg))
}

// levelOf returns the level of the configuration.
func levelOf(cfg LogConfig) (level slog.Level) {
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		return slog.LevelInfo // the check has refused everything else
	}
	return level
}

// newLeveled is newLogger with a level that may change.
func newLeveled(w io.Writer, cfg LogConfig, level slog.Leveler) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// writeConfig writes the commented default configuration with what cfg says
// otherwise by its flags, unless the file is there.
func writeConfig(path, dir string, cfg Config) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		text := replaceLine(config.Moleculed, "data_dir: null", fmt.Sprintf("data_dir: %q", dir))
		if org := cfg.Org(); org != "" {
			text = replaceLine(text, "org_id: null", fmt.Sprintf("org_id: %q", org))
		}
		if len(cfg.Listen) > 0 {
			text = replaceLine(text, "listen: []", fmt.Sprintf("listen: [%s]", quoted(cfg.Listen)))
		}
		text = replaceLine(text, "  level: info   # debug, info, warn or error", fmt.Sprintf("  level: %-6s # debug, info, warn or error", cfg.Log.Level))
		text = replaceLine(text, "  format: text  # text or json", fmt.Sprintf("  format: %-5s # text or json", cfg.Log.Format))
		_, err = f.Write(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return molecule.Errorf(molecule.Forbidden, "cannot write %s: %v", path, err)
	}
	return nil
}

// quoted writes a list as YAML has it between brackets.
func quoted(items []string) string {
	all := make([]string, len(items))
	for i, s := range items {
		all[i] = strconv.Quote(s)
	}
	return strings.Join(all, ", ")
}

// replaceLine replaces the one line that reads old.
func replaceLine(text []byte, old, line string) []byte {
	return bytes.Replace(text, []byte("\n"+old+"\n"), []byte("\n"+line+"\n"), 1)
}
