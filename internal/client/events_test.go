package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// stream writes events the way the daemon does.
func stream(tb testing.TB, w http.ResponseWriter, ids ...int64) {
	tb.Helper()
	w.Header().Set("Content-Type", wire.TypeSSE)
	fmt.Fprint(w, ": hello\n\n")
	for _, id := range ids {
		raw, err := json.Marshal(molecule.Event{ID: id, Type: molecule.EventRunFinished})
		if err != nil {
			tb.Error(err)
		}
		fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", id, molecule.EventRunFinished, raw)
	}
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}

func TestWatchEvents_resumesBehindTheLastOneAfterADrop(t *testing.T) {
	t.Parallel()
	var asked []string
	c := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept"); got != wire.TypeSSE {
			t.Errorf("accept is %q", got)
		}
		asked = append(asked, r.URL.RawQuery)
		switch len(asked) {
		case 1:
			stream(t, w, 4, 5)
			fmt.Fprint(w, "id: 6\ndata: {\"id\":6,") // cut off in the middle
			panic(http.ErrAbortHandler)
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			stream(t, w, 5, 6, 7) // one of them again
		}
	})
	var got []int64
	for e, err := range c.WatchEvents(t.Context(), molecule.EventFilter{After: 3, Types: []string{"run."}}) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, e.ID); e.ID == 7 {
			break
		}
	}
	if diff := cmp.Diff(got, []int64{4, 5, 6, 7}); diff != "" {
		t.Errorf("events: got, want:\n%s", diff)
	}
	want := []string{"after=3&type=run.", "after=5&type=run.", "after=5&type=run."}
	if diff := cmp.Diff(asked, want); diff != "" {
		t.Errorf("questions: got, want:\n%s", diff)
	}
}

func TestWatchEvents_endsWithItsContextWithoutAnError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		stream(t, w, 1)
		<-r.Context().Done()
	})
	n := 0
	for _, err := range c.WatchEvents(ctx, molecule.EventFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		cancel()
	}
	if n != 1 {
		t.Errorf("got %d events, want 1", n)
	}
}

func TestWatchEvents_endsWhereAskingAgainIsOfNoUse(t *testing.T) {
	t.Parallel()
	refusal := serve(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusForbidden, wire.EncodeError(molecule.Errorf(molecule.Forbidden, "not yours")))
	})
	opened := false
	later := serve(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		if !opened {
			opened = true
			stream(t, w, 1)
			return
		}
		answer(w, http.StatusUnauthorized, wire.EncodeError(molecule.Errorf(molecule.Unauthenticated, "revoked")))
	})
	pruned := serve(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusGone, wire.EncodeError(molecule.Errorf(molecule.Gone, "pruned")))
	})
	garbage := serve(t, Options{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	tests := []struct {
		name   string
		client *Client
		want   []molecule.Code
	}{
		{"refused at once", refusal, []molecule.Code{molecule.Forbidden}},
		{"refused when it came back", later, []molecule.Code{molecule.Internal, molecule.Unauthenticated}},
		{"behind what was pruned", pruned, []molecule.Code{molecule.Gone}},
		{"never opened", garbage, []molecule.Code{molecule.Internal}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []molecule.Code
			for _, err := range tt.client.WatchEvents(t.Context(), molecule.EventFilter{}) {
				got = append(got, molecule.CodeOf(err))
			}
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("got, want:\n%s", diff)
			}
		})
	}
}

func TestWatchEvents_saysThatNobodyIsThere(t *testing.T) {
	t.Parallel()
	c := open(t, Options{Endpoint: "unix://" + t.TempDir() + "/none.sock"})
	var errs []error
	for _, err := range c.WatchEvents(t.Context(), molecule.EventFilter{}) {
		errs = append(errs, err)
	}
	if len(errs) != 1 {
		t.Fatalf("got %v, want one error", errs)
	}
	if _, ok := errors.AsType[*Unreachable](errs[0]); !ok {
		t.Errorf("got %v, want unreachable", errs[0])
	}
}

func TestReadStream_readsWhatTheFormatAllows(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		text  string
		ids   []int64
		fails bool
	}{
		{"comments only", ": a\n\n:b\n\n", nil, false},
		{"data on two lines", "data: {\"id\":\ndata: 3}\n\n", []int64{3}, false},
		{"carriage returns", "id: 1\r\ndata:{\"id\":1}\r\n\r\n", []int64{1}, false},
		{"unknown fields", "retry: 5\nfoo\ndata: {\"id\":2}\n\n", []int64{2}, false},
		{"cut off", "data: {\"id\":2}\n", nil, false},
		{"no event", "data: hello\n\n", nil, true},
		{"endless line", "data: " + strings.Repeat("x", wire.MaxReplyBytes+1), nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var ids []int64
			var failed error
			lines := 0
			for e, err := range readStream(strings.NewReader(tt.text), func() { lines++ }) {
				if err != nil {
					failed = err
					continue
				}
				ids = append(ids, e.ID)
			}
			if !slices.Equal(ids, tt.ids) || (failed != nil) != tt.fails {
				t.Errorf("got %v and %v, want %v, failure %t", ids, failed, tt.ids, tt.fails)
			}
		})
	}
}
