package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// importSchedules takes the document that an export prints as JSON.
func (s *Server) importSchedules(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r, "update", "skip_invalid", "dry_run")
	in := molecule.ScheduleImport{Update: q.flag("update"), SkipInvalid: q.flag("skip_invalid"), DryRun: q.flag("dry_run")}
	if q.err != nil {
		return q.err
	}
	var err error
	if in.Schedules, err = readSchedules(r.Body); err != nil {
		return err
	}
	result, err := s.Schedules.ImportSchedules(r.Context(), in)
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, result)
}

// readSchedules reads a document of schedules one by one, so that it is never
// kept as a whole.
func readSchedules(body io.Reader) ([]molecule.ScheduleSpec, error) {
	dec := json.NewDecoder(body)
	dec.DisallowUnknownFields()
	for _, token := range []json.Token{json.Delim('{'), "schedules", json.Delim('[')} {
		if err := expect(dec, token); err != nil {
			return nil, err
		}
	}
	var list []molecule.ScheduleSpec
	for dec.More() {
		if len(list) == molecule.MaxImport {
			return nil, molecule.Errorf(molecule.TooLarge, "the document has more than %d schedules", molecule.MaxImport).
				WithHint("split it; each import is done as a whole or not at all")
		}
		var spec molecule.ScheduleSpec
		if err := dec.Decode(&spec); err != nil {
			return nil, badSpec(len(list), err)
		}
		list = append(list, spec)
	}
	for _, token := range []json.Token{json.Delim(']'), json.Delim('}')} {
		if err := expect(dec, token); err != nil {
			return nil, err
		}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, molecule.Errorf(molecule.Invalid, "the request body holds more than one JSON value")
	}
	return list, nil
}

// expect reads the next token, which has to be want.
func expect(dec *json.Decoder, want json.Token) error {
	got, err := dec.Token()
	if err == nil && got == want {
		return nil
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return badBody(err)
	}
	return molecule.Errorf(molecule.Invalid, "the request body is no document of schedules").
		WithHint(`it is written {"schedules":[{"name":"hello","agent":"echo","cron":"0 8 * * *","prompt":"say hello"}]}`)
}

// badSpec says which schedule of a document cannot be read, and why.
func badSpec(i int, err error) error {
	why := badBody(err)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return molecule.Errorf(molecule.Invalid, "the request body ends within schedule %d", i+1)
	}
	return molecule.Errorf(molecule.CodeOf(why), "schedule %d: %s", i+1, why.Error()).WithHint("%s", molecule.HintOf(why))
}
