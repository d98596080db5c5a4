// Package webhook is the sink that is a signed request to a URL. Nobody can ask
// the receiver what it holds, so that a copy there is never more than unproved.
//
// Every request is a POST of one JSON object, signed as Standard Webhooks says:
// webhook-signature is "v1," and the base64 of the HMAC-SHA256 of
// "webhook-id.webhook-timestamp.body", under the credential of the sink. The id is
// the same when a request is repeated.
//
//	{"type":"secret.probe", "data":{"secret":"NAME"}}           nothing is to change
//	{"type":"secret.apply", "data":{"secret":"NAME", "value":"base64"}}
//	{"type":"secret.remove", "data":{"secret":"NAME"}}
//
// Any 2xx is success. The answer may be {"holds":"nothing"}, and may have a
// "marker" that changes with each write: by that a stranger's write is seen. 409
// is drift, 422 a value that is rejected.
package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
	"github.com/molecule-ai/molecli/internal/vault/sink/web"
)

// Open makes the sink of a receiver.
func Open(s sink.Spec) (sink.Sink, error) {
	client, err := web.Stored(s, s.Target["url"])
	if err != nil {
		return nil, err
	}
	return sink.OfCell(s.At(), cell{s.At(), s.Secret, client}), nil
}

// cell is a receiver.
type cell struct {
	place, secret string
	client        *web.Client
}

// message is what is sent.
type message struct {
	Type string `json:"type"`
	Data data   `json:"data"`
}

type data struct {
	Secret string `json:"secret"`
	Value  []byte `json:"value,omitempty"`
}

// answer is what a receiver may say.
type answer struct {
	Holds  sink.Holds `json:"holds"`
	Marker string     `json:"marker"`
}

// Look sends a probe, which holds no value.
func (w cell) Look(ctx context.Context, c sink.Change) (sink.State, error) {
	a, err := w.send(ctx, "secret.probe", c, molecule.Secret{})
	if err != nil {
		return sink.State{}, err
	}
	marker := sink.Quote(a.Marker, c)
	if a.Holds == sink.HoldsNothing {
		return sink.State{Holds: sink.HoldsNothing, Marker: marker}, nil
	}
	return sink.State{Holds: c.CompareMarker(marker), Marker: marker}, nil
}

// Put sends the new value.
func (w cell) Put(ctx context.Context, c sink.Change, _ sink.State) error {
	_, err := w.send(ctx, "secret.apply", c, c.New)
	return err
}

// Clear tells the receiver to forget the value.
func (w cell) Clear(ctx context.Context, c sink.Change, _ sink.State) error {
	_, err := w.send(ctx, "secret.remove", c, molecule.Secret{})
	return err
}

func (w cell) send(ctx context.Context, kind string, c sink.Change, value molecule.Secret) (answer, error) {
	key, err := signingKey(w.place, c.Credential)
	if err != nil {
		return answer{}, err
	}
	body, err := json.Marshal(message{kind, data{w.secret, []byte(value.Reveal())}})
	if err != nil {
		return answer{}, fmt.Errorf("%s: write the message: %w", w.place, err)
	}
	// A step may send one value and, to undo it, another: each has its own id.
	id := fmt.Sprintf("%s.%s.%s", c.ID, kind, hex.EncodeToString(sign(key, string(body)))[:16])
	var a answer
	_, err = w.client.Do(ctx, web.Request{Method: http.MethodPost, Header: headers(key, id, body, time.Now()), Body: body, Change: c}, &a)
	return a, err
}

// headers returns what Standard Webhooks asks for.
func headers(key []byte, id string, body []byte, now time.Time) http.Header {
	at := strconv.FormatInt(now.Unix(), 10)
	h := make(http.Header)
	h.Set("Content-Type", "application/json")
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", at)
	h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(sign(key, id+"."+at+"."+string(body))))
	return h
}

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// signingKey returns the key that a credential is, also in the form that
// Standard Webhooks hands out.
func signingKey(place string, credential molecule.Secret) ([]byte, error) {
	if credential.IsZero() {
		return nil, molecule.Errorf(molecule.Unauthenticated, "%s has no credential to sign with", place).
			WithHint("write credential: and the secret that the receiver checks signatures with")
	}
	encoded, ok := strings.CutPrefix(credential.Reveal(), "whsec_")
	if !ok {
		return []byte(credential.Reveal()), nil
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, molecule.Errorf(molecule.Unauthenticated, "%s: the credential begins with whsec_ and goes on with what is no base64", place).
			WithHint("copy it again from the receiver")
	}
	return key, nil
}
