package webhook

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/netguard"
	"github.com/molecule-ai/molecli/internal/vault/sink"
	"github.com/molecule-ai/molecli/internal/vault/sink/sinktest"
	"github.com/molecule-ai/molecli/internal/vault/sink/web"
	"github.com/molecule-ai/molecli/internal/vault/sink/webhook/webhooktest"
)

const key = "signing-key-9fKq2"

func guard(t testing.TB) *netguard.Guard {
	t.Helper()
	g, err := netguard.New(netguard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.CloseIdle)
	return g
}

func open(t testing.TB, url string) sink.Sink {
	t.Helper()
	k, err := Open(sink.Spec{Secret: "TOKEN", Net: guard(t), SinkSpec: molecule.SinkSpec{Kind: "webhook", Target: map[string]string{"url": url}}})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestWebhook_passesTheSuite(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(t testing.TB) sinktest.Rig {
		r := webhooktest.New(t, key)
		return sinktest.Rig{
			Sink:       open(t, r.URL),
			Credential: molecule.NewSecret(key),
			Accepts:    func(value molecule.Secret) bool { return string(r.Value()) == value.Reveal() },
			Tamper:     r.Set,
			Cut:        r.Close,
			Masked:     true,
			Holds:      []string{"line\nbreaks\n", "\x00\xff", strings.Repeat("x", 1<<20)},
		}
	})
}

var change = sink.Change{Old: molecule.NewSecret("old-value-1"), New: molecule.NewSecret("new/value+2"), Credential: molecule.NewSecret(key), ID: "7"} // never written

func TestWebhook_probeSendsNoValue(t *testing.T) {
	t.Parallel()
	r := webhooktest.New(t, key)
	r.Set("held")
	k := open(t, r.URL)
	if _, err := k.Probe(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	if verdict, err := k.Verify(t.Context(), change); err != nil || verdict != sink.Unproved {
		t.Errorf("verify: got %s, %v, want %s", verdict, err, sink.Unproved)
	}
	if diff := cmp.Diff(r.Asked(), []string{"secret.probe", "secret.probe"}); diff != "" || string(r.Value()) != "held" {
		t.Errorf("it holds %q (-got +want):\n%s", r.Value(), diff)
	}
}

func TestWebhook_statusSaysWhatIsWorthAnotherTry(t *testing.T) {
	t.Parallel()
	r := webhooktest.New(t, key)
	k := open(t, r.URL)
	for status, want := range map[int]sink.Trouble{
		302: sink.Refused, 400: sink.Refused, 401: sink.Refused, 403: sink.Refused, 404: sink.Refused, 405: sink.Refused,
		409: sink.Drifted, 412: sink.Drifted, 422: sink.RejectsValue, 408: sink.Transient, 429: sink.Transient, 500: sink.Transient, 503: sink.Transient,
	} {
		r.Answer(status)
		_, err := k.Probe(t.Context(), change)
		if got := sink.TroubleOf(err); got != want || molecule.HintOf(err) == "" {
			t.Errorf("%d: got %q from %v, want %q", status, got, err, want)
		}
	}
	r.Answer(0)
	if _, err := k.Apply(t.Context(), change); err != nil {
		t.Error(err)
	}
}

func TestWebhook_whatIsAnsweredIsQuotedWithoutTheValue(t *testing.T) {
	t.Parallel()
	r := webhooktest.New(t, key)
	spec := sink.Spec{Secret: "TOKEN", Net: guard(t), SinkSpec: molecule.SinkSpec{Kind: "webhook", Target: map[string]string{"url": r.URL}}}
	client, err := web.Stored(spec, r.URL)
	if err != nil {
		t.Fatal(err)
	}
	r.Answer(403)
	err = cell{"webhook:x", "TOKEN", client}.Put(t.Context(), change, sink.State{})
	if err == nil || !strings.Contains(err.Error(), `"value":"[sealed]"`) {
		t.Errorf("got %v, want what was answered, with the value sealed", err)
	}
}

func TestWebhook_credentialIsNeededAndRead(t *testing.T) {
	t.Parallel()
	r := webhooktest.New(t, "key of whsec")
	k := open(t, r.URL)
	for credential, want := range map[string]sink.Trouble{
		"": sink.Refused, "another": sink.Refused, "whsec_!": sink.Refused, "whsec_a2V5IG9mIHdoc2Vj": "", "key of whsec": "",
	} {
		c := change
		c.Credential = molecule.NewSecret(credential)
		_, err := k.Probe(t.Context(), c)
		if got := sink.TroubleOf(err); got != want {
			t.Errorf("%q: got %q from %v, want %q", credential, got, err, want)
		}
	}
}

func TestWebhook_signatureIsThatOfTheStandard(t *testing.T) {
	t.Parallel()
	k, err := signingKey("webhook:x", molecule.NewSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
	if err != nil {
		t.Fatal(err)
	}
	h := headers(k, "msg_p5jXN8AQM9LWM0D4loKWxJek", []byte(`{"test": 2432232314}`), time.Unix(1614265330, 0))
	if diff := cmp.Diff(h.Get("webhook-signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}

func TestWebhook_urlThatMayNotBeCalledIsRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	g := guard(t)
	for _, url := range []string{"", "ftp://x/", "http://hooks.example.com/", "http://169.254.169.254/", "https://user:pw@hooks.example.com/"} {
		_, err := Open(sink.Spec{Secret: "TOKEN", Net: g, SinkSpec: molecule.SinkSpec{Kind: "webhook", Target: map[string]string{"url": url}}})
		if molecule.CodeOf(err) != molecule.UnsafeURL {
			t.Errorf("%q: got %v, want UnsafeURL", url, err)
		}
	}
}
