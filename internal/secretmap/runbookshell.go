package secretmap

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Commands never take a value as an argument: the arguments of a program are
// read by every user of the machine. printf is none, it is a part of the shell.

// quote writes a word for a shell.
func quote(s string) string {
	if s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:=@,+") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// words writes a command.
func words(command []string) string {
	all := make([]string, len(command))
	for i, w := range command {
		all[i] = quote(w)
	}
	return strings.Join(all, " ")
}

// assemble writes a template as one printf of files named like their secrets.
func assemble(template string) string {
	return printf(template, `"$(cat new)"`)
}

// printf writes a text with references as one command; value is what stands for
// ${value}.
func printf(text, value string) string {
	t, err := ParseTemplate(text)
	if err != nil {
		return "printf %s " + quote(text)
	}
	var format strings.Builder
	var args []string
	for _, p := range t.pieces {
		format.WriteString(strings.NewReplacer("%", "%%", `\`, `\\`).Replace(p.text))
		if p.ref == nil {
			continue
		}
		format.WriteString("%s")
		args = append(args, argument(*p.ref, value))
	}
	return strings.TrimSpace("printf " + quote(format.String()) + " " + strings.Join(args, " "))
}

// argument is what a reference becomes in a shell.
func argument(r Ref, value string) string {
	file := r.Name
	switch {
	case r.Name == refAnswer:
		return fmt.Sprintf(`"$(jq -r .%s answer)"`, r.Attr)
	case r.Attr != "":
		return "ITS_" + strings.ToUpper(r.Attr)
	case r.Name == refValue && r.Encoding == "":
		return value
	case r.Name == refValue:
		return fmt.Sprintf(`"$(printf %%s %s | %s)"`, value, encoder(r.Encoding))
	case r.Encoding == "":
		return `"$(cat ` + file + `)"`
	}
	return fmt.Sprintf(`"$(%s < %s)"`, encoder(r.Encoding), file)
}

// encoder is a command that writes its input the way encode does.
func encoder(encoding string) string {
	switch encoding {
	case "base64":
		return "base64 -w0"
	case "json":
		return `jq -Rrs '@json[1:-1]'`
	}
	return "jq -Rrs @uri"
}

// ask is how a probe asks about the value in a file: for HTTP a function that is
// then called with a value.
func (w *writer) ask(p *molecule.Probe, file string) []string {
	switch p.Kind {
	case molecule.ProbeHTTP:
		return []string{"probe() { " + curl(p) + "; }"}
	case molecule.ProbeExec:
		return []string{words(p.Command) + " < " + file + "; echo $?"}
	}
	return nil
}

// asked calls the function of ask with the value in a file.
func (w *writer) asked(file string) string { return `probe "$(cat ` + file + `)"` }

// curl writes the request of a probe, about the value $1.
func curl(p *molecule.Probe) string {
	out := "/dev/null"
	if p.Undo != nil {
		out = "answer"
	}
	parts := []string{"curl -sS -o " + out + ` -w '%{http_code}\n'`}
	if m := cmp.Or(p.Method, "GET"); m != "GET" {
		parts = append(parts, "-X "+m)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Headers)) {
		parts = append(parts, "-H @<("+printf(name+": "+p.Headers[name], `"$1"`)+")")
	}
	if p.Body != "" {
		parts = append(parts, "--data-binary @<("+printf(p.Body, `"$1"`)+")")
	}
	parts = append(parts, place(p.URL))
	command := strings.Join(parts, " ")
	if p.Undo != nil {
		command += " && { " + strings.Replace(curl(p.Undo), `-w '%{http_code}\n'`, "-f", 1) + " || true; }"
	}
	return command
}

// place writes a URL, which holds no value unless lint has complained.
func place(url string) string {
	if !strings.Contains(url, "${") {
		return quote(url)
	}
	return `"$(` + printf(url, `"$1"`) + `)"`
}

// set is how a sink gets the value in a file.
func set(k molecule.SinkSpec, s molecule.MappedSecret, file string) []string {
	t := func(key string) string { return k.Target[key] }
	name := cmp.Or(t("name"), t("key"), s.Name)
	if k.Template != "" {
		return set(molecule.SinkSpec{Kind: k.Kind, Target: k.Target}, s, "<("+printf(k.Template, `"$(cat `+file+`)"`)+")")
	}
	switch k.Kind {
	case "file":
		return []string{fmt.Sprintf("install -m 0600 %s %s.next && mv %s.next %s", file, quote(t("path")), quote(t("path")), quote(t("path")))}
	case "envfile":
		return []string{fmt.Sprintf(`{ grep -v %s %s; printf '%%s=%%s\n' %s "$(cat %s)"; } > next && cat next > %s`, quote("^"+name+"="), quote(t("path")), quote(name), file, quote(t("path")))}
	case "systemd":
		return []string{fmt.Sprintf("systemd-creds encrypt --name=%s %s %s.next && mv %s.next %s", quote(name), file, quote(t("path")), quote(t("path")), quote(t("path")))}
	case "fly":
		return []string{fmt.Sprintf(`printf '%%s=%%s\n' %s "$(cat %s)" | fly secrets import --stage --app %s`, quote(name), file, quote(t("app")))}
	case "github":
		return []string{"gh secret set " + quote(name) + github(k) + " < " + file}
	case "htpasswd":
		return []string{fmt.Sprintf("htpasswd -iB %s %s < %s", quote(t("path")), quote(t("user")), file)}
	}
	return setServer(k, name, file)
}

// setServer is set for what is behind a connection.
func setServer(k molecule.SinkSpec, name, file string) []string {
	t := func(key string) string { return k.Target[key] }
	switch k.Kind {
	case "postgres":
		role, about := t("role"), []string(nil)
		if b := t("role_b"); b != "" {
			about = []string{"# ROLE is the one of " + role + " and " + b + " that is NOT in use today; psql asks twice and sends only the verifier"}
			role = "ROLE"
		}
		server := "host=" + t("host") + " dbname=" + t("database") + " user=" + cmp.Or(t("user"), "postgres")
		return append(about, "psql "+quote(server)+" -c "+quote(`\password `+role))
	case "redis":
		return []string{redis(k) + fmt.Sprintf(` ACL SETUSER %s "#$(sha256sum < %s | cut -d' ' -f1)"`, quote(t("user")), file)}
	case "vault":
		return []string{bao(k) + fmt.Sprintf(" kv patch -mount=%s %s %s=@%s", quote(t("mount")), quote(t("path")), quote(name), file)}
	case "kubernetes":
		return []string{fmt.Sprintf(`kubectl -n %s patch secret %s --type merge --patch-file <(printf '{"data":{"%%s":"%%s"}}' %s "$(base64 -w0 %s)")`, quote(t("namespace")), quote(t("secret")), quote(name), file)}
	case "agent":
		return []string{"# the daemon hands " + name + " to agents; without it, give each of " + t("agents") + " the file " + file + " the way it was given the one before"}
	case "webhook":
		return []string{"# the request to " + t("url") + " is signed by a program: a person has it sent"}
	case "exec":
		return []string{"# " + t("command") + " is given JSON on standard input: a person has it run"}
	}
	return nil
}

// bao calls the server of a sink.
func bao(k molecule.SinkSpec) string {
	command := "BAO_ADDR=" + quote(k.Target["url"])
	for _, v := range [][2]string{{"BAO_NAMESPACE", k.Target["namespace"]}, {"BAO_CACERT", k.Target["ca"]}} {
		if v[1] != "" {
			command += " " + v[0] + "=" + quote(v[1])
		}
	}
	return command + " bao"
}

// unset takes the value in a file out of a sink that holds more than one.
func unset(k molecule.SinkSpec, file string) []string {
	if k.Kind != "redis" {
		return nil
	}
	return []string{redis(k) + fmt.Sprintf(` ACL SETUSER %s "!$(sha256sum < %s | cut -d' ' -f1)"`, quote(k.Target["user"]), file)}
}

func redis(k molecule.SinkSpec) string {
	host, port, err := net.SplitHostPort(k.Target["address"])
	if err != nil {
		host, port = k.Target["address"], "6379"
	}
	command := "redis-cli -h " + quote(host) + " -p " + quote(port)
	if k.Target["tls"] != "" {
		command += " --tls"
	}
	return command
}

func github(k molecule.SinkSpec) string {
	var b strings.Builder
	for _, key := range []string{"repo", "org"} {
		if v := k.Target[key]; v != "" {
			b.WriteString(" --" + key + " " + quote(v))
		}
	}
	if v := k.Target["environment"]; v != "" {
		b.WriteString(" --env " + quote(v))
	}
	return b.String()
}

// activate is what brings a copy into use.
func activate(k molecule.SinkSpec) []string {
	switch {
	case k.Kind == "fly":
		return []string{"fly secrets deploy --app " + quote(k.Target["app"])}
	case k.Activation == molecule.ActivationOnRestart:
		return []string{"# start again whoever reads it"}
	}
	return nil
}

// expectOf is what has to be so when a copy was written.
func expectOf(k molecule.SinkSpec) string {
	t := func(key string) string { return quote(k.Target[key]) }
	switch k.Kind {
	case "fly":
		return "fly secrets list --app " + t("app") + " shows another digest than before, and not Staged"
	case "github":
		return "gh secret list" + github(k) + " shows that it was updated just now; the value cannot be read back"
	case "htpasswd":
		return "htpasswd -vi " + t("path") + " " + t("user") + " < new says that it is correct, and with < old that it is not"
	case "postgres":
		return "a login with the new password works, and one with garbage does not"
	case "redis":
		return "AUTH with the new password is answered OK, and with garbage WRONGPASS"
	case "agent":
		return "each agent works with it; one that is paused holds the old one until it is resumed"
	case "file", "systemd", "envfile":
		return "whoever reads " + t("path") + " reads the new value, and its owner and mode are as before"
	}
	return "what it holds is the new value"
}

// generate is a command that makes a value like the daemon would.
func generate(g molecule.Generator) string {
	n := func(otherwise int) int { return cmp.Or(g.Length, otherwise) }
	switch g.Kind {
	case molecule.GenerateHex:
		return fmt.Sprintf("openssl rand -hex %d | tr -d '\\n'", n(32))
	case molecule.GenerateBase64URL:
		return fmt.Sprintf("openssl rand -base64 %d | tr '+/' '-_' | tr -d '=\\n'", n(32))
	case molecule.GenerateUUID:
		return "uuidgen | tr -d '\\n'"
	case molecule.GenerateEd25519:
		return "openssl genpkey -algorithm ed25519"
	case molecule.GenerateAge:
		return "age-keygen"
	case molecule.GeneratePassphrase:
		return fmt.Sprintf("shuf --random-source=/dev/urandom -n %d /usr/share/dict/words | paste -sd- | tr -d '\\n'", n(6))
	}
	return fmt.Sprintf("LC_ALL=C tr -dc 'A-Za-z0-9' < /dev/urandom | head -c %d", n(32))
}
