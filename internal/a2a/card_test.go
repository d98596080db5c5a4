package a2a_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/a2a/a2atest"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// The faces by short names.
func faces() (now, nowREST, old, oldREST a2atest.Face) {
	f := a2atest.Faces()
	return f[0], f[1], f[2], f[3]
}

// listed returns a card of 1.0 with interfaces written as "version binding path".
func listed(interfaces ...string) string {
	var all []string
	for _, i := range interfaces {
		f := strings.Fields(i)
		all = append(all, fmt.Sprintf(`{"protocolVersion":%q,"protocolBinding":%q,"url":"$URL%s"}`, f[0], f[1], f[2]))
	}
	return `{"name":"fake","supportedInterfaces":[` + strings.Join(all, ",") + `]}`
}

func TestDeliver_picksTheInterface(t *testing.T) {
	t.Parallel()
	now, nowREST, old, oldREST := faces()
	const path0, path1, path0R, path1R = "/0.3/json", "/1.0/json", "/0.3/http/v1/message:send", "/1.0/http/message:send"
	for _, tt := range []struct {
		name, card, want string
	}{
		{"1.0 only", a2atest.CardOf("$URL", now), path1},
		{"1.0 over HTTP+JSON only", a2atest.CardOf("$URL", nowREST), path1R},
		{"0.3 only", a2atest.CardOf("$URL", old), path0},
		{"0.3 over HTTP+JSON only", a2atest.CardOf("$URL", oldREST), path0R},
		{"both, 1.0 preferred", a2atest.CardOf("$URL", now, old), path1},
		{"both, 0.3 preferred", a2atest.CardOf("$URL", old, now), path1},
		{"both, 1.0 only over HTTP+JSON", a2atest.CardOf("$URL", old, nowREST), path1R},
		{"both bindings of 1.0", a2atest.CardOf("$URL", now, nowREST), path1},
		{"both bindings of 1.0, the other preferred", a2atest.CardOf("$URL", nowREST, now), path1R},
		{"both bindings of 0.3", a2atest.CardOf("$URL", oldREST, old), path0R},
		{"a binding that is not spoken", listed("1.0 GRPC /grpc", "1.0 JSONRPC /1.0/json"), path1},
		{"a binding that is not spoken, but in 0.3", listed("1.0 GRPC /grpc", "0.3 JSONRPC /0.3/json"), path0},
		{"a later 1.x", listed("1.12 JSONRPC /1.0/json"), path1},
		{"1.x without a point", listed("1 JSONRPC /1.0/json"), path1},
		{"a version to come", listed("2.0 JSONRPC /2.0", "10.0 JSONRPC /10", "1.0 JSONRPC /1.0/json"), path1},
		{"0.3.0 among interfaces", listed("0.3.0 JSONRPC /0.3/json"), path0},
		{"no transport named", `{"url":"$URL/0.3/json"}`, path0},
		{"another transport preferred", `{"url":"$URL/grpc","preferredTransport":"GRPC","additionalInterfaces":[
			{"url":"$URL/grpc","transport":"GRPC"},{"url":"$URL/0.3/json","transport":"JSONRPC"}]}`, path0},
		{"versions to come, and 0.3", strings.Replace(listed("2.0 JSONRPC /2.0"), `{"name"`, `{"url":"$URL/0.3/json","name"`, 1), path0},
		{"the base of HTTP+JSON with its version", `{"url":"$URL/0.3/http/v1/","preferredTransport":"HTTP+JSON"}`, path0R},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := online(t, a2atest.New(a2atest.Faces()...))
			r.serve(map[string]string{a2atest.CardPath: tt.card})
			sameReply(t, r.deliver(t, time.Minute), says("done"))
			if got := r.agent.Requests(a2atest.Send)[0].Path; got != tt.want {
				t.Errorf("sent to %s, want %s", got, tt.want)
			}
		})
	}
}

// serve puts cards in place of the agent's own; $URL is its URL.
func (r *rig) serve(cards map[string]string) {
	for path, text := range cards {
		cards[path] = strings.ReplaceAll(text, "$URL", r.agent.URL)
	}
	r.agent.Cards(cards)
}

func TestDeliver_sendsNothingToACardItCannotSpeakTo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, card string }{
		{"versions to come", listed("2.0 JSONRPC /0.3/json", "10.0 JSONRPC /0.3/json", "0.30 JSONRPC /0.3/json")},
		{"versions gone by", listed("0.2.6 JSONRPC /0.3/json")},
		{"no version", `{"supportedInterfaces":[{"url":"$URL/0.3/json","protocolBinding":"JSONRPC"}]}`},
		{"other bindings", listed("1.0 GRPC /0.3/json", "0.3 GRPC /0.3/json")},
		{"other transports", `{"url":"$URL/0.3/json","preferredTransport":"GRPC"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := online(t, a2atest.New(a2atest.Faces()...))
			r.serve(map[string]string{a2atest.CardPath: tt.card})
			want := molecule.Reply{Failure: molecule.FailShape, Answered: true, Detail: "says why"}
			sameReply(t, r.deliver(t, time.Minute), want)
			r.asked(t, a2atest.Card)
		})
	}
}

func TestDeliver_looksForTheCardBelowTheURLAndThenAtItsOrigin(t *testing.T) {
	t.Parallel()
	const below = "/0.3/json" + a2atest.CardPath
	now, _, _, _ := faces()
	good := a2atest.CardOf("$URL", now)
	all := []string{below, a2atest.CardPath, a2atest.OldCardPath}
	for _, tt := range []struct {
		name   string
		cards  map[string]string
		looked []string
		want   string // where the prompt went; without a card that is the URL itself
	}{
		{"below", map[string]string{below: good}, all[:1], "/1.0/json"},
		{"at the origin", map[string]string{a2atest.CardPath: good}, all[:2], "/1.0/json"},
		{"at its old place", map[string]string{a2atest.OldCardPath: good}, all, "/1.0/json"},
		{"the first of two", map[string]string{below: good, a2atest.CardPath: listed("2.0 JSONRPC /2")}, all[:1], "/1.0/json"},
		{"behind a page", map[string]string{below: "<html>", a2atest.CardPath: good}, all[:2], "/1.0/json"},
		{"behind something else", map[string]string{below: `{"name":"x"}`, a2atest.CardPath: `[]`, a2atest.OldCardPath: good}, all, "/1.0/json"},
		{"behind one that is too large", map[string]string{below: sized(good, 256<<10+1), a2atest.CardPath: good}, all[:2], "/1.0/json"},
		{"as large as may be", map[string]string{below: sized(good, 256<<10)}, all[:1], "/1.0/json"},
		{"too large everywhere", map[string]string{below: sized(good, 256<<10+1)}, all, "/0.3/json"},
		{"nowhere", map[string]string{}, all, "/0.3/json"},
		{"not one", map[string]string{below: "null", a2atest.CardPath: "", a2atest.OldCardPath: "{}"}, all, "/0.3/json"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := online(t, a2atest.New(a2atest.Faces()...))
			r.serve(tt.cards)
			r.delivery.Agent.URL += "/0.3/json"
			sameReply(t, r.deliver(t, time.Minute), says("done"))
			var paths []string
			for _, q := range r.agent.Requests() {
				paths = append(paths, q.Path)
			}
			if diff := cmp.Diff(paths, append(append([]string{}, tt.looked...), tt.want)); diff != "" {
				t.Errorf("asked at (-got +want):\n%s", diff)
			}
		})
	}
}

// sized returns a card with blanks behind it. The URL it will get is as long as
// those of all rigs are.
func sized(card string, size int) string {
	grows := strings.Count(card, "$URL") * (len("http://127.0.0.1:00000") - len("$URL"))
	return card + strings.Repeat(" ", size-len(card)-grows)
}

func TestDeliver_speaksDirectlyToAnAgentThatWithholdsItsCard(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		card   a2atest.Act
		longer time.Duration
	}{
		{"unauthorised", a2atest.Status(401, ""), 0},
		{"broken", a2atest.Status(500, ""), 0},
		{"redirected", a2atest.Redirects("/elsewhere"), 0},
		{"cut off", a2atest.Cuts(), 0},
		{"cut off midway", a2atest.CutsMidway(), 0},
		{"hanging", a2atest.Hangs(), 10 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := offline(t, a2atest.New(a2atest.Faces()...).On(a2atest.Card, tt.card))
				r.delivery.Agent.URL += "/0.3/json"
				start := time.Now()
				sameReply(t, r.deliver(t, time.Hour), says("done"))
				if got := time.Since(start); got != tt.longer {
					t.Errorf("it took %s, want %s", got, tt.longer)
				}
				for _, q := range r.agent.Requests() {
					if q.Path == "/elsewhere" {
						t.Error("a redirect was followed")
					}
				}
			})
		})
	}
}

func TestDeliver_looksForTheCardBesideAQuery(t *testing.T) {
	t.Parallel()
	r := online(t, a2atest.New(a2atest.Faces()...))
	r.serve(map[string]string{})
	r.delivery.Agent.URL += "/0.3/json?key=1"
	r.deliver(t, time.Minute)
	var got []string
	for _, q := range r.agent.Requests() {
		got = append(got, q.Path)
	}
	want := []string{"/0.3/json" + a2atest.CardPath, a2atest.CardPath, a2atest.OldCardPath, "/0.3/json?key=1"}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("asked at (-got +want):\n%s", diff)
	}
}

func TestDeliver_judgesWhatACardPointsAt(t *testing.T) {
	t.Parallel()
	const mayNot = molecule.FailUnsafe
	for _, tt := range []struct {
		name  string
		owner molecule.URLOwner
		at    string // $URL is by address, $NAME by name
		want  molecule.Failure
	}{
		{"the agent's own place", molecule.URLOwnerAgent, "$NAME/1.0/json", ""},
		{"the agent's place by address", molecule.URLOwnerAgent, "$URL/1.0/json", mayNot},
		{"the operator's place", molecule.URLOwnerOperator, "$URL/1.0/json", ""},
		{"the operator's place by name", molecule.URLOwnerOperator, "$NAME/1.0/json", ""},
		{"the place of what started the agent", molecule.URLOwnerProvisioner, "$URL/1.0/json", ""},
		{"elsewhere than where that started it", molecule.URLOwnerProvisioner, "http://127.0.0.1:9/1.0/json", mayNot},
		{"another port here", molecule.URLOwnerOperator, "http://127.0.0.1:9/1.0/json", mayNot},
		{"credentials of the platform", molecule.URLOwnerOperator, "http://169.254.169.254/", mayNot},
		{"credentials of the platform", molecule.URLOwnerAgent, "http://169.254.169.254/", mayNot},
		{"a port of another protocol", molecule.URLOwnerAgent, "http://agent.example:25/", mayNot},
		{"a file", molecule.URLOwnerOperator, "file:///etc/passwd", mayNot},
		{"a path only", molecule.URLOwnerOperator, "/1.0/json", mayNot},
		{"nothing", molecule.URLOwnerOperator, "", mayNot},
	} {
		for _, version := range []string{"1.0", "0.3"} {
			t.Run(tt.name+" "+string(tt.owner)+" "+version, func(t *testing.T) {
				t.Parallel()
				r := online(t, a2atest.New(a2atest.Faces()...))
				at := strings.NewReplacer("$URL", r.agent.URL, "$NAME", r.agent.ByName(), "/1.0/", "/"+version+"/").Replace(tt.at)
				card := fmt.Sprintf(`{"supportedInterfaces":[{"protocolVersion":%q,"protocolBinding":"JSONRPC","url":%q}]}`, version, at)
				r.agent.Cards(map[string]string{a2atest.CardPath: card})
				if r.delivery.Agent.URLOwner = tt.owner; tt.owner == molecule.URLOwnerAgent {
					r.delivery.Agent.URL = r.agent.ByName()
				}
				got := r.deliver(t, time.Minute)
				if got.Failure != tt.want {
					t.Errorf("got failure %q (%s), want %q", got.Failure, got.Detail, tt.want)
				}
				if sent := len(r.agent.Requests(a2atest.Send)) == 1; sent != (tt.want == "") {
					t.Errorf("got sent %v, want %v", sent, !sent)
				}
			})
		}
	}
}

func TestDeliver_looksNowhereTwice(t *testing.T) {
	t.Parallel()
	r := online(t, a2atest.New())
	r.serve(map[string]string{})
	r.delivery.Agent.URL += "/"
	sameReply(t, r.deliver(t, time.Minute), molecule.Reply{HTTPStatus: 404, Answered: true})
	var got []string
	for _, q := range r.agent.Requests() {
		got = append(got, q.Path)
	}
	if diff := cmp.Diff(got, []string{a2atest.CardPath, a2atest.OldCardPath, "/"}); diff != "" {
		t.Errorf("asked at (-got +want):\n%s", diff)
	}
}
