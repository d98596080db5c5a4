package client

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"iter"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/wire"
)

// readStream yields the events of an event stream until it ends. alive is
// called for every line, the comments that keep the connection open included.
// An event that was cut off by the end of the stream is not yielded: it comes
// again behind the last id.
func readStream(r io.Reader, alive func()) iter.Seq2[molecule.Event, error] {
	return func(yield func(molecule.Event, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 4096), wire.MaxReplyBytes)
		var data []byte
		for lines.Scan() {
			alive()
			line := bytes.TrimSuffix(lines.Bytes(), []byte("\r"))
			if value, ok := bytes.CutPrefix(line, []byte("data:")); ok {
				data = append(append(data, bytes.TrimPrefix(value, []byte(" "))...), '\n')
			}
			if len(line) > 0 || len(data) == 0 {
				continue
			}
			var e molecule.Event
			if err := json.Unmarshal(data, &e); err != nil {
				yield(e, molecule.Errorf(molecule.Unavailable, "the event stream holds something that is no event").WithCause(err))
				return
			}
			data = nil
			if !yield(e, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(molecule.Event{}, molecule.Errorf(molecule.Unavailable, "the event stream broke").WithCause(err))
		}
	}
}
