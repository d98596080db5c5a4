package rotation

import (
	"context"
	"path/filepath"
	"sync/atomic"

	"github.com/molecule-ai/molecli/internal/molecule"
	"github.com/molecule-ai/molecli/internal/vault/sink"
	"github.com/molecule-ai/molecli/internal/vault/sink/kinds"
)

// failing opens real files, of which the one of a name answers the first writes
// with an error instead.
func failing(name string, times int, err error) sink.Open {
	var left atomic.Int64
	left.Store(int64(times))
	return func(s sink.Spec) (sink.Sink, error) {
		opened, oerr := kinds.Open(s)
		if oerr != nil || filepath.Base(s.Target["path"]) != name {
			return opened, oerr
		}
		return faulty{opened, &left, err}, nil
	}
}

func refusing(name string, times int) sink.Open {
	return failing(name, times, molecule.Errorf(molecule.Forbidden, "you may not").WithHint("ask whoever may"))
}

func rejecting(name string, times int) sink.Open {
	return failing(name, times, sink.Rejected("this value cannot be held"))
}

// faulty is a place that fails a number of times.
type faulty struct {
	sink.Sink
	left *atomic.Int64
	err  error
}

// Apply fails while there are failures left.
func (f faulty) Apply(ctx context.Context, c sink.Change) (sink.State, error) {
	if f.left.Add(-1) >= 0 {
		return sink.State{}, f.err
	}
	return f.Sink.Apply(ctx, c)
}
