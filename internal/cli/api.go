package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/molecule-ai/molecli/internal/client"
	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// methods are those the daemon knows.
func methods() []string {
	return []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
}

// apiCall is a request of the operator's own making.
type apiCall struct {
	app     *app
	body    string
	headers []string
	include bool
}

// newAPICmd makes api.
func newAPICmd(a *app) *cobra.Command {
	o := &apiCall{app: a}
	cmd := leaf{
		use:   "api METHOD PATH",
		short: "Make one request of your own",
		long: "Makes a request with the token and the organisation of every other command, and prints\n" +
			"the answer: as it came in a pipe, in lines on a terminal, or as -o says. An answer that\n" +
			"is an error is told like any other, with the exit status of its code.",
		examples: "  molecli api GET /v1/status\n" +
			"  molecli api PATCH /v1/agents/echo --body '{\"max_concurrent_tasks\": 2}' -o yaml",
		args:     exactly("METHOD", "PATH"),
		complete: choices(methods()...),
		run:      func(ctx context.Context, args []string) error { return o.run(ctx, strings.ToUpper(args[0]), args[1]) },
	}.command()
	f := cmd.Flags()
	f.StringVar(&o.body, "body", "", "what to send: text, @FILE, or - for standard input")
	f.StringArrayVarP(&o.headers, "header", "H", nil, "a header to send, as `NAME: VALUE` (repeatable)")
	f.BoolVarP(&o.include, "include", "i", false, "print status and headers of the answer too, and its body whatever it is")
	return cmd
}

// run reads the command line before it looks for the daemon.
func (o *apiCall) run(ctx context.Context, method, path string) error {
	p, err := o.app.printer()
	if err != nil {
		return err
	}
	if !slices.Contains(methods(), method) {
		return molecule.Errorf(molecule.Invalid, "%q is no method", method).WithHint("use one of: %s", strings.Join(methods(), ", "))
	}
	if u, err := url.ParseRequestURI(path); err != nil || !strings.HasPrefix(path, "/") || u.Fragment != "" || strings.ContainsAny(path, " #") {
		return molecule.Errorf(molecule.Invalid, "%q is no path", path).WithHint("such as %s, with a query if need be", wire.PathAgents)
	}
	req := client.Request{Method: method, Path: path}
	if req.Header, err = o.header(); err != nil {
		return err
	}
	if req.Body, err = o.content(p); err != nil {
		return err
	}
	s, err := o.app.session(ctx)
	if err != nil {
		return err
	}
	return s.client.Raw(ctx, req, func(res *http.Response) error { return o.answer(s.printer, res) })
}

// header reads --header.
func (o *apiCall) header() (http.Header, error) {
	all := http.Header{}
	for _, line := range o.headers {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" || strings.ContainsAny(name, " \t\r\n") || strings.ContainsAny(value, "\r\n") {
			return nil, molecule.Errorf(molecule.Invalid, "%q is no header", line).WithHint("write NAME: VALUE, such as 'Accept: %s'", wire.TypeSSE)
		}
		all.Add(name, strings.TrimSpace(value))
	}
	return all, nil
}

// content returns what --body stands for, nil when nothing is sent.
func (o *apiCall) content(p *printer) (io.Reader, error) {
	from := strings.TrimPrefix(o.body, "@")
	switch {
	case o.body == "":
		return nil, nil
	case o.body != "-" && from == o.body:
		return strings.NewReader(o.body), nil
	}
	name, raw, err := readInput(p, from, wire.MaxImportBytes+1)
	if err != nil {
		return nil, molecule.Errorf(molecule.Invalid, "the body cannot be read from %s", name).WithCause(err).
			WithHint("--body @FILE reads a file, --body - standard input")
	}
	return bytes.NewReader(raw), nil
}

// answer prints an answer, and turns one that is an error into ours.
func (o *apiCall) answer(p *printer, res *http.Response) error {
	if o.include {
		if err := p.head(res); err != nil {
			return err
		}
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if res.StatusCode/100 == 2 && kind != wire.TypeJSON {
		return p.stream(res.Body)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, wire.MaxReplyBytes))
	if err != nil {
		return err
	}
	if o.include || res.StatusCode/100 == 2 {
		if err := p.document(raw); err != nil {
			return err
		}
	}
	if res.StatusCode/100 != 2 {
		return wire.DecodeError(res.StatusCode, raw)
	}
	return nil
}

// head writes status and headers the way they came.
func (p *printer) head(res *http.Response) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", res.Proto, res.Status)
	var names []string
	for name := range res.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range res.Header[name] {
			b.WriteString(name + ": " + value + "\n")
		}
	}
	return p.text(b.String() + "\n")
}

// stream passes on what is no JSON as it comes.
func (p *printer) stream(r io.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if werr := p.passOn(string(buf[:n])); werr != nil {
				return werr
			}
		}
		if err == io.EOF { //nolint:errorlint // a reader returns it bare
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// document writes JSON in the face that is asked for: as it came for a pipe,
// and in lines for a person.
func (p *printer) document(raw []byte) error {
	switch {
	case len(bytes.TrimSpace(raw)) == 0:
		return nil
	case !json.Valid(raw):
		return p.passOn(string(raw))
	case p.config.Output == outJSONL:
		return p.jsonLines(raw)
	case p.structured():
		return p.encode(json.RawMessage(raw))
	case p.OutTTY:
		var b bytes.Buffer
		if err := json.Indent(&b, raw, "", "  "); err != nil {
			return fmt.Errorf("indent the answer: %w", err)
		}
		return p.text(b.String())
	}
	return p.write(string(raw))
}

// jsonLines writes each item of a list on a line, and anything else on one.
func (p *printer) jsonLines(raw []byte) error {
	var page molecule.Page[json.RawMessage]
	if err := json.Unmarshal(raw, &page); err != nil || page.Items == nil {
		return p.jsonLine(json.RawMessage(raw))
	}
	for _, item := range page.Items {
		if err := p.jsonLine(item); err != nil {
			return err
		}
	}
	return nil
}
