package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// configPath returns where the operator's settings are kept.
func configPath(lookup func(string) (string, bool)) string {
	dir, ok := lookup("XDG_CONFIG_HOME")
	if !ok || !filepath.IsAbs(dir) {
		home, _ := lookup("HOME")
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "molecule", "molecli.yaml")
}

// kept returns the settings that may stand in the file.
func kept() []setting {
	return slices.DeleteFunc(settings(), func(s setting) bool { return s.once })
}

// fileConfig is what the file says. The zero value is that of no file.
type fileConfig struct {
	settings map[string]any
	contexts map[string]map[string]any // by name, each with some of contextKeys
}

// readConfig returns what the file says; nothing when there is none. It is
// refused when others may write or read it: it says whom to trust.
func readConfig(path string) (fileConfig, error) {
	raw, err := readPrivate(path)
	if err != nil {
		return fileConfig{}, err
	}
	return parseConfig(path, raw)
}

// parseConfig reads the text of the file at path.
func parseConfig(path string, raw []byte) (fileConfig, error) {
	f := fileConfig{settings: map[string]any{}}
	if len(raw) == 0 {
		return f, nil
	}
	if err := yaml.Unmarshal(raw, &f.settings); err != nil {
		return fileConfig{}, molecule.Errorf(molecule.Invalid, "%s is not valid YAML\n%s", path, yaml.FormatError(err, false, true))
	}
	contexts := f.settings[contextsKey]
	delete(f.settings, contextsKey)
	for key, value := range f.settings {
		if err := judgeSetting(key, value); err != nil {
			return fileConfig{}, within(path, err)
		}
	}
	var err error
	if f.contexts, err = parseContexts(contexts); err != nil {
		return fileConfig{}, within(path, err)
	}
	return f, nil
}

// within says where the mistake is that err is about.
func within(where string, err error) error {
	return molecule.Errorf(molecule.CodeOf(err), "%s: %s", where, message(err)).WithHint("%s", molecule.HintOf(err))
}

// judgeSetting refuses a key that may not stand in the file, and a value that
// is none for it.
func judgeSetting(key string, value any) error {
	s, err := settingOf(key)
	if err != nil {
		return err
	}
	if err := parses(s, fmt.Sprint(value)); err != nil {
		return molecule.Errorf(molecule.Invalid, "%s is %v", key, value).WithHint("%s", err)
	}
	return nil
}

// settingOf returns the setting of a key that may stand in the file.
func settingOf(key string) (setting, error) {
	var keys []string
	for _, s := range kept() {
		if s.key == key {
			return s, nil
		}
		keys = append(keys, s.key)
	}
	err := molecule.Errorf(molecule.Invalid, "there is no setting %q", key)
	if near := molecule.Nearest(key, keys); near != "" {
		return setting{}, err.WithHint("did you mean %s?", near)
	}
	return setting{}, err.WithHint("molecli config list")
}

// readPrivate reads a file that only its owner may read; nothing when there is
// none.
func readPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, molecule.Errorf(molecule.Invalid, "settings cannot be read").WithCause(err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, molecule.Errorf(molecule.Invalid, "%s has mode %04o, it must be 0600", path, mode).
			WithHint("chmod 600 %s", path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, molecule.Errorf(molecule.Invalid, "settings cannot be read").WithCause(err)
	}
	return raw, nil
}

// writeSetting sets one key in the file and leaves its other lines, comments
// among them, as they are.
func writeSetting(path string, s setting, value string) error {
	raw, err := readPrivate(path)
	if err != nil {
		return err
	}
	line, err := settingLine(s, value)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimRight(string(raw), "\n"), "\n")
	at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, s.key+":") })
	switch {
	case at >= 0:
		lines[at] = line
	case len(raw) == 0:
		lines = []string{line}
	default:
		lines = append(lines, line)
	}
	return replaceFile(path, strings.Join(lines, "\n")+"\n")
}

// settingLine writes a setting as it stands in the file.
func settingLine(s setting, value string) (string, error) {
	if _, text := s.value.(string); !text {
		return s.key + ": " + value, nil
	}
	quoted, err := yaml.Marshal(value)
	if err != nil {
		return "", molecule.Errorf(molecule.Invalid, "%q cannot be written", value).WithCause(err)
	}
	return s.key + ": " + strings.TrimSpace(string(quoted)), nil
}

// replaceFile writes content beside path and moves it there, so that a reader
// never sees half of it.
func replaceFile(path, content string) error {
	fail := func(err error) error {
		return molecule.Errorf(molecule.Invalid, "settings cannot be written").WithCause(err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fail(err)
	}
	f, err := os.CreateTemp(dir, ".molecli-*") // mode 0600
	if err != nil {
		return fail(err)
	}
	_, err = f.WriteString(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fail(errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
