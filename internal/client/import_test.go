package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

func TestImportSchedules_sendsOneDocumentHoweverItIsRead(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 3} {
		var want molecule.ScheduleDocument
		for i := range n {
			want.Schedules = append(want.Schedules, molecule.ScheduleSpec{Name: string(rune('a' + i)), Prompt: "<say> \"hello\"\n"})
		}
		for name, slow := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "by halves": iotest.HalfReader,
		} {
			raw, err := io.ReadAll(slow(newDocument(want.Schedules)))
			if err != nil {
				t.Fatal(err)
			}
			var got molecule.ScheduleDocument
			if err := json.Unmarshal(raw, &got); err != nil {
				t.Errorf("%d read %s: %v in %s", n, name, err, raw)
			}
			if diff := cmp.Diff(got.Schedules, append([]molecule.ScheduleSpec{}, want.Schedules...)); diff != "" {
				t.Errorf("%d read %s (-got +want):\n%s", n, name, diff)
			}
		}
	}
}

func TestImportSchedules_asksAndBringsFaultsBack(t *testing.T) {
	t.Parallel()
	var query string
	faults := []molecule.Fault{{Index: 1, Name: "a", Code: molecule.Conflict, Message: "taken", Hint: "rename it"}}
	c := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		query = r.URL.RawQuery
		_, _ = io.Copy(io.Discard, r.Body) // the sender sees its errors
		answer(w, http.StatusConflict, wire.EncodeError(molecule.RefuseImport(faults, 2)))
	})
	_, err := c.ImportSchedules(context.Background(), molecule.ScheduleImport{Schedules: make([]molecule.ScheduleSpec, 2), Update: true, SkipInvalid: true, DryRun: true})
	refused, ok := errors.AsType[*molecule.FaultyImport](err)
	if !ok || molecule.CodeOf(err) != molecule.Conflict || refused.Total != 1 {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff(refused.Faults, faults); diff != "" {
		t.Errorf("faults (-got +want):\n%s", diff)
	}
	if query != "dry_run=true&skip_invalid=true&update=true" {
		t.Errorf("asked with %s", query)
	}
}
