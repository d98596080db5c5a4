package molecule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestExcerpt_cutsBetweenRunes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "s"))
		limit := rapid.IntRange(1, 40).Draw(t, "limit")
		got := Excerpt(s, limit)
		clean := strings.ToValidUTF8(s, "\uFFFD")
		switch n := utf8.RuneCountInString(got); {
		case !utf8.ValidString(got):
			t.Fatalf("%q is not UTF-8", got)
		case n > limit:
			t.Fatalf("%q has %d runes, the most is %d", got, n, limit)
		case utf8.RuneCountInString(clean) <= limit && got != clean:
			t.Fatalf("%q fits and became %q", clean, got)
		case got != clean && (!strings.HasSuffix(got, "…") || !strings.HasPrefix(clean, strings.TrimSuffix(got, "…"))):
			t.Fatalf("%q became %q", clean, got)
		}
	})
}

func TestDuration_isWrittenShortAndReadBack(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", time.Minute: "1m", time.Hour: "1h", 90 * time.Minute: "1h30m", 90 * time.Second: "1m30s",
		10 * time.Minute: "10m", 10 * time.Hour: "10h", time.Hour + time.Second: "1h0m1s", 1500 * time.Millisecond: "1.5s", -time.Hour: "-1h",
	} {
		got, err := Duration(d).MarshalText()
		if err != nil || string(got) != want {
			t.Errorf("%d ns is written %s (%v), want %s", d, got, err, want)
		}
		var back Duration
		if err := back.UnmarshalText(got); err != nil || time.Duration(back) != d {
			t.Errorf("%s is read as %d ns (%v), want %d", got, back, err, d)
		}
	}
}

func TestDuration_refusesWhatIsNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "20", "1 h", "1d", "zwanzig", strings.Repeat("9", 100) + "h"} {
		var d Duration
		err := d.UnmarshalText([]byte(text))
		if CodeOf(err) != Invalid || HintOf(err) == "" {
			t.Errorf("%q: error %v (hint %q), want an invalid one with a hint", text, err, HintOf(err))
		}
		if err != nil && utf8.RuneCountInString(err.Error()) > 80 {
			t.Errorf("the message repeats all of a long word: %s", err)
		}
	}
}

func TestSecret_isNeverPrinted(t *testing.T) {
	t.Parallel()
	type holder struct {
		hidden  Secret
		Shown   Secret
		pointer *Secret
	}
	secret := NewSecret("hunter2")
	h := holder{secret, secret, &secret}
	var printed []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed = append(printed, fmt.Sprintf(verb, secret), fmt.Sprintf(verb, h))
	}
	inJSON, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", secret, "holder", h)
	printed = append(printed, string(inJSON), log.String(), errors.Join(fmt.Errorf("with %v", secret)).Error())
	for _, p := range printed {
		if strings.Contains(p, "hunter2") || strings.Contains(p, "68756e74657232") {
			t.Errorf("the value is in %s", p)
		}
	}
	if got := secret.Reveal(); got != "hunter2" {
		t.Errorf("revealed %q", got)
	}
	if zero := (Secret{}); !zero.IsZero() || zero.Reveal() != "" || secret.IsZero() || !NewSecret("").IsZero() {
		t.Error("empty is not told from sealed")
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"pending", "online", "offline"}
	for word, want := range map[string]string{
		"onlin": "online", "ONLINE": "online", "offlin": "offline", "pendign": "pending", "": "", "xyz": "", "healthy": "",
		"on": "", "o": "",
	} {
		if got := Nearest(word, names); got != want {
			t.Errorf("nearest to %q is %q, want %q", word, got, want)
		}
	}
	for word, want := range map[string]string{"foo": "", "no": "", "okk": "ok", "mised": "missed"} {
		if got := Nearest(word, []string{"ok", "missed"}); got != want {
			t.Errorf("nearest to %q is %q, want %q", word, got, want)
		}
	}
	if got := Nearest("word", nil); got != "" {
		t.Errorf("nearest of none is %q", got)
	}
}

func TestError_keepsItsCodeThroughWrapping(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk is full")
	fact := Errorf(Conflict, "schedule %q exists", "eco").WithCause(cause).WithHint("choose another name")
	wrapped := fmt.Errorf("create: %w", fact)
	if CodeOf(wrapped) != Conflict || HintOf(wrapped) != "choose another name" || !errors.Is(wrapped, cause) {
		t.Errorf("code %s, hint %q, cause kept %t", CodeOf(wrapped), HintOf(wrapped), errors.Is(wrapped, cause))
	}
	if got, want := wrapped.Error(), `create: schedule "eco" exists: disk is full`; got != want {
		t.Errorf("reads %q, want %q", got, want)
	}
	if plain := Errorf(Conflict, "x"); plain.WithHint("y") == plain || plain.Hint != "" {
		t.Error("WithHint changed the error it was called on")
	}
	for err, want := range map[error]Code{
		cause: Internal, context.DeadlineExceeded: Timeout, context.Canceled: Internal, fmt.Errorf("read: %w", context.DeadlineExceeded): Timeout,
	} {
		if got := CodeOf(err); got != want || HintOf(err) != "" {
			t.Errorf("%v is %s, want %s and no hint", err, got, want)
		}
	}
	if got := Internal.String(); got != "internal" {
		t.Errorf("the zero code is written %q", got)
	}
}

func TestTextOf_leavesOutWhatIsNoText(t *testing.T) {
	t.Parallel()
	parts := []Part{{Text: "one"}, {Data: map[string]any{"a": 1}}, {File: "f.pdf"}, {Text: ""}, {Text: "two"}}
	if got := TextOf(parts); got != "one\ntwo" {
		t.Errorf("got %q", got)
	}
}

func TestShown_isCarriedByJSONAndPrintedByNobody(t *testing.T) {
	t.Parallel()
	const value = "mol_agent_x"
	agent := Agent{Name: "a", Token: Show(NewSecret(value))}
	if said := fmt.Sprintf("%v %+v %#v %s", agent, agent, agent, agent.Token); strings.Contains(said, value) {
		t.Errorf("it is printed: %s", said)
	}
	body, err := json.Marshal(agent)
	if err != nil || !strings.Contains(string(body), `"token":"mol_agent_x"`) {
		t.Errorf("it is sent as %s, %v", body, err)
	}
	var back Agent
	if err := json.Unmarshal(body, &back); err != nil || !back.Token.Equal(agent.Token) {
		t.Errorf("it is read as another one (%v)", err)
	}
	if body, err = json.Marshal(Agent{Name: "a"}); err != nil || strings.Contains(string(body), "token") {
		t.Errorf("none is sent as %s, %v", body, err)
	}
}

func TestShown_refusesWhatIsNoStringWithoutRepeatingIt(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"value":12345678}`, `{"value":["12345678"]}`, `{"value":{"12345678":1}}`, `{"value":true}`} {
		var in NewSecretValue
		err := json.Unmarshal([]byte(text), &in)
		if CodeOf(err) != Invalid || strings.Contains(err.Error(), "12345678") {
			t.Errorf("%s: got error %v", text, err)
		}
	}
}
