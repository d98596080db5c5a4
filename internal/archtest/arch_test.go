package archtest

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/molecule-ai/molecli/"

// layers is the table of ARCHITECTURE.md: what each package may import of this
// module. A package that is not in it fails the test.
var layers = map[string][]string{ // never written
	"internal/molecule": {},

	"config":              {},
	"internal/wire":       {"L0"},
	"internal/cron":       {"L0"},
	"internal/supervised": {"L0"},
	"internal/netguard":   {"L0", "internal/wire"},
	"internal/term":       {"L0"},
	"internal/audit":      {"L0", "internal/supervised"},
	"internal/systemd":    {},
	"internal/textfile":   {},
	"internal/secretmap":  {"L0", "internal/textfile"},

	"internal/schedulefile": {"L0", "internal/cron", "internal/textfile"},

	"internal/sqlite":    {"L0", "L1"},
	"internal/client":    {"L0", "L1"},
	"internal/a2a":       {"L0", "L1"},
	"internal/execagent": {"L0", "L1"},
	"internal/auth":      {"L0", "L1"},
	"internal/tenant":    {"L0", "L1"},
	"internal/console":   {"L0", "L1"},
	"internal/vault":     {"L0", "L1"},

	"internal/vault/rotation": {"L0", "L1"},

	"internal/vault/sink":          {"L0", "internal/netguard"},
	"internal/vault/sink/disk":     {"L0"},
	"internal/vault/sink/file":     {"L0", "L1", "internal/vault/sink/disk"},
	"internal/vault/sink/envfile":  {"L0", "L1", "internal/vault/sink/disk"},
	"internal/vault/sink/exec":     {"L0", "L1"},
	"internal/vault/sink/webhook":  {"L0", "L1", "internal/vault/sink/web"},
	"internal/vault/sink/web":      {"L0", "internal/netguard", "internal/vault/sink"},
	"internal/vault/sink/postgres": {"L0", "L1"},
	"internal/vault/sink/github":   {"L0", "L1", "internal/vault/sink/web"},
	"internal/vault/sink/vault":    {"L0", "L1", "internal/vault/sink/web"},
	"internal/vault/sink/kinds":    {"L0", "L1", "sinks"},

	"internal/dispatch":  {"L0", "L1"},
	"internal/scheduler": {"L0", "L1"},
	"internal/registry":  {"L0", "L1"},
	"internal/relay":     {"L0", "L1"},
	"internal/incident":  {"L0", "L1"},
	"internal/watchdog":  {"L0", "L1"}, // not scheduler, not dispatch: it watches them
	"internal/inbox":     {"L0", "L1"},
	"internal/retention": {"L0", "L1"},
	"internal/api":       {"L0", "L1", "internal/tenant", "internal/auth"},
	"internal/platform":  {"L0", "L1", "internal/tenant", "internal/auth"},

	"internal/cli":    {"L0", "L1", "internal/client", "internal/schedulefile"},
	"internal/daemon": {"L0", "L1", "L2", "L3", "internal/textfile"},

	"cmd/molecli":   {"internal/cli"},
	"cmd/moleculed": {"internal/daemon"},
}

var (
	level1 = []string{"config", "internal/wire", "internal/cron", "internal/supervised", "internal/netguard", "internal/term", "internal/audit", "internal/systemd", "internal/secretmap", "internal/vault/sink"}
	level2 = []string{"internal/sqlite", "internal/a2a", "internal/execagent", "internal/auth", "internal/tenant", "internal/console", "internal/vault", "internal/vault/sink/kinds"}
	sinks  = []string{"internal/vault/sink/file", "internal/vault/sink/envfile", "internal/vault/sink/exec", "internal/vault/sink/webhook", "internal/vault/sink/postgres", "internal/vault/sink/github", "internal/vault/sink/vault"}
	level3 = []string{"internal/dispatch", "internal/scheduler", "internal/registry", "internal/relay", "internal/incident", "internal/inbox", "internal/platform", "internal/watchdog", "internal/retention", "internal/vault/rotation", "internal/api"}
)

// homes says where each third-party library lives. A library that is not here
// may not be imported at all.
var homes = map[string][]string{ // never written
	"github.com/spf13/cobra":              {"internal/cli", "internal/daemon"},
	"github.com/spf13/pflag":              {"internal/cli", "internal/daemon"},
	"github.com/spf13/viper":              {"internal/cli", "internal/daemon"},
	"github.com/goccy/go-yaml":            {"internal/cli", "internal/daemon", "internal/schedulefile", "internal/secretmap", "internal/textfile"},
	"charm.land/lipgloss/v2":              {"internal/term"},
	"github.com/charmbracelet/":           {"internal/term"},
	"golang.org/x/term":                   {"internal/term"},
	"github.com/dustin/go-humanize":       {"internal/term"},
	"modernc.org/sqlite":                  {"internal/sqlite"},
	"github.com/pressly/goose/v3":         {"internal/sqlite"},
	"github.com/adhocore/gronx":           {"internal/cron"},
	"github.com/a2aproject/a2a-go/v2":     {"internal/a2a"},
	"github.com/prometheus/client_golang": {"internal/daemon"},
	"github.com/coder/websocket":          {"internal/platform"},
	"golang.org/x/sys/unix":               {"internal/auth", "internal/daemon", "internal/execagent", "internal/sqlite"},
	"github.com/google/uuid":              {"internal/sqlite", "internal/api", "internal/daemon", "internal/scheduler", "internal/dispatch", "internal/a2a", "internal/execagent", "internal/incident", "internal/inbox", "internal/platform", "internal/vault", "internal/vault/rotation"},
	"github.com/jackc/pgx/v5":             {"internal/vault/sink/postgres"},
	"golang.org/x/crypto/argon2":          {"internal/vault"},
	"golang.org/x/crypto/nacl/box":        {"internal/vault/sink/github"},
	"golang.org/x/time/rate":              {"internal/auth"},
}

// source is one production file.
type source struct {
	pkg  string // directory, relative to the module
	name string
	file *ast.File
	fset *token.FileSet
}

// at returns the place of a node, for a message.
func (s source) at(n ast.Node) string {
	p := s.fset.Position(n.Pos())
	return path.Join(s.pkg, s.name) + ":" + itoa(p.Line)
}

func itoa(n int) string {
	b, err := json.Marshal(n)
	if err != nil {
		return "?"
	}
	return string(b)
}

// testHelper reports whether pkg only serves tests and may import anything.
func testHelper(pkg string) bool {
	return strings.HasSuffix(pkg, "test") || strings.HasPrefix(pkg, "internal/e2e")
}

// sources parses every production file of the module.
func sources(t *testing.T) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	var all []source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipped(d.Name(), p, root):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go"):
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, p, nil, 0)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(p))
		if err != nil {
			return err
		}
		all = append(all, source{pkg: filepath.ToSlash(rel), name: filepath.Base(p), file: f, fset: fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("found only %d files: the walk is broken", len(all))
	}
	return all
}

func skipped(name, p, root string) bool {
	if p == root {
		return false
	}
	_, err := os.Stat(filepath.Join(p, "go.mod")) // a module of its own
	return err == nil || name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".")
}

// imports returns the paths a file imports.
func imports(f *ast.File) []string {
	var all []string
	for _, spec := range f.Imports {
		all = append(all, strings.Trim(spec.Path.Value, `"`))
	}
	return all
}

func TestImports_pointOneWay(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		allowed, listed := layers[s.pkg]
		if testHelper(s.pkg) {
			continue
		}
		if !listed {
			t.Errorf("%s is in no layer: add it to the table here and in ARCHITECTURE.md", s.pkg)
			continue
		}
		for _, imp := range imports(s.file) {
			own, ok := strings.CutPrefix(imp, module)
			if ok && !slices.Contains(expand(allowed), own) {
				t.Errorf("%s/%s imports %s, which its layer may not", s.pkg, s.name, own)
			}
		}
	}
}

// expand replaces the names of layers by their packages.
func expand(allowed []string) []string {
	var all []string
	for _, a := range allowed {
		switch a {
		case "L0":
			all = append(all, "internal/molecule")
		case "L1":
			all = append(all, level1...)
		case "L2":
			all = append(all, level2...)
		case "sinks":
			all = append(all, sinks...)
		case "L3":
			all = append(all, level3...)
		default:
			all = append(all, a)
		}
	}
	return all
}

func TestLibraries_liveInOneHome(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if testHelper(s.pkg) {
			continue
		}
		for _, imp := range imports(s.file) {
			if !strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") || strings.HasPrefix(imp, module) {
				continue
			}
			if !slices.Contains(homesOf(imp), s.pkg) {
				t.Errorf("%s/%s imports %s, whose home is %v", s.pkg, s.name, imp, homesOf(imp))
			}
		}
	}
}

func homesOf(imp string) []string {
	for lib, home := range homes {
		if imp == lib || strings.HasPrefix(imp, strings.TrimSuffix(lib, "/")+"/") {
			return home
		}
	}
	return nil
}

func TestGoroutines_startOnlyInSupervised(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.pkg == "internal/supervised" || testHelper(s.pkg) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s: a bare go statement; use supervised, or a sync.WaitGroup that is waited for", s.at(g))
			}
			return true
		})
	}
}

// dialling are the names that open connections past the guard.
var dialling = map[string][]string{ // never written
	"net":      {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialUnix", "DialIP", "Dialer"},
	"net/http": {"Get", "Head", "Post", "PostForm", "DefaultClient", "DefaultTransport", "Transport"},
	"syscall":  {"Connect"},
	"net/rpc":  {"Dial", "DialHTTP"},
	"net/smtp": {"Dial", "SendMail"},
}

func TestDialling_happensOnlyInNetguard(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.pkg == "internal/netguard" || testHelper(s.pkg) {
			continue
		}
		for _, sel := range selectors(s.file) {
			if slices.Contains(dialling[sel.pkg], sel.name) {
				t.Errorf("%s: %s.%s dials past the guard", s.at(sel.node), sel.pkg, sel.name)
			}
		}
	}
}

func TestRecover_isOnlyInSupervisedAndTheMiddleware(t *testing.T) {
	t.Parallel()
	var found []string
	for _, s := range sources(t) {
		if testHelper(s.pkg) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "recover" && s.pkg != "internal/supervised" {
					found = append(found, path.Join(s.pkg, s.name))
				}
			}
			return true
		})
	}
	if want := []string{"internal/api/handler.go"}; !slices.Equal(found, want) {
		t.Errorf("recover is called in %v, want only %v", found, want)
	}
}

// selector is one use of a name of an imported package.
type selector struct {
	pkg, name string
	node      ast.Node
}

// selectors returns every pkg.Name of a file, by import path.
func selectors(f *ast.File) []selector {
	names := make(map[string]string)
	for _, spec := range f.Imports {
		p := strings.Trim(spec.Path.Value, `"`)
		name := path.Base(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = p
	}
	var all []selector
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && names[id.Name] != "" {
				all = append(all, selector{names[id.Name], sel.Sel.Name, sel})
			}
		}
		return true
	})
	return all
}

func TestMolecli_linksNoDatabaseAndNoMetrics(t *testing.T) {
	t.Parallel()
	forbidden := []string{"modernc.org/sqlite", "github.com/prometheus/", "github.com/charmbracelet/bubbletea", module + "internal/sqlite"}
	for _, dep := range deps(t, "./cmd/molecli") {
		for _, f := range forbidden {
			if strings.HasPrefix(dep, f) || dep == "database/sql" {
				t.Errorf("molecli links %s", dep)
			}
		}
	}
}

func TestMoleculed_linksNoGRPC(t *testing.T) {
	t.Parallel()
	for _, dep := range deps(t, "./cmd/moleculed") {
		if strings.HasPrefix(dep, "google.golang.org/grpc") {
			t.Errorf("moleculed links %s", dep)
		}
	}
}

// deps lists every package a command links.
func deps(t *testing.T, pkg string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath", pkg)
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []string
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct{ ImportPath string }
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p.ImportPath)
	}
	if len(all) < 50 {
		t.Fatalf("%s has only %d packages: the list is broken", pkg, len(all))
	}
	return all
}
