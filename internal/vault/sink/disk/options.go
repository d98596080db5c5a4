package disk

import (
	"fmt"
	"io/fs"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	othersRead fs.FileMode = 0o004
	others     fs.FileMode = 0o007
)

// ParsePath reads the path of a target. An error is Invalid.
func ParsePath(path string) (string, error) {
	clean := filepath.Clean(path)
	if !filepath.IsAbs(path) || clean == "/" || strings.ContainsRune(path, 0) || strings.HasSuffix(path, "/") {
		return "", molecule.Errorf(molecule.Invalid, "%q is no path of a file from / on", molecule.Excerpt(path, 80)).WithHint("write path: /etc/acme/token")
	}
	return clean, nil
}

// ParseOptions reads the mode and the owner of a target; both may be empty. An
// error is Invalid.
func ParseOptions(mode, owner string) (Options, error) {
	var o Options
	if mode != "" {
		bits, err := strconv.ParseUint(mode, 8, 32)
		if err != nil || bits == 0 || bits > 0o777 {
			return o, molecule.Errorf(molecule.Invalid, "mode %q is none", molecule.Excerpt(mode, 20)).WithHint(`write mode: "0600", or "0640" for a group`)
		}
		if o.Mode = fs.FileMode(bits); o.Mode&others != 0 {
			return o, molecule.Errorf(molecule.Invalid, "with mode %s every user of the machine has the value", mode).WithHint(`write mode: "0600", or "0640" for a group`)
		}
	}
	if owner == "" {
		return o, nil
	}
	var err error
	o.Owner, err = parseOwner(owner)
	return o, err
}

// parseOwner reads user, or user:group, by names or by numbers.
func parseOwner(text string) (*Owner, error) {
	name, group, grouped := strings.Cut(text, ":")
	unknown := func(kind, name string, err error) error {
		return molecule.Errorf(molecule.Invalid, "owner: there is no %s %q on this machine", kind, molecule.Excerpt(name, 40)).
			WithHint("write owner: user, or owner: user:group").WithCause(err)
	}
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			return nil, unknown("user", name, err)
		}
	}
	gid := u.Gid
	if grouped {
		g, err := user.LookupGroup(group)
		if err != nil {
			if g, err = user.LookupGroupId(group); err != nil {
				return nil, unknown("group", group, err)
			}
		}
		gid = g.Gid
	}
	o := &Owner{}
	if o.UID, err = strconv.Atoi(u.Uid); err == nil {
		o.GID, err = strconv.Atoi(gid)
	}
	return o, err
}

// Exposed says that everybody on the machine can read the file; "" when not.
func (f File) Exposed() string {
	if !f.Exists() || f.Info.Mode().Perm()&othersRead == 0 {
		return ""
	}
	return fmt.Sprintf("every user of the machine can read %s: chmod o-rwx %s", f.Path, f.Path)
}
