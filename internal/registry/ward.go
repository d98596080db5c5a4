package registry

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	shortestGap = 30 * time.Second // no agent is expected more often
	longestGap  = 5 * time.Minute  // nor less often, whatever it did before
	gapUnit     = 100 * time.Millisecond
	keptGaps    = 8 // and arrivals
)

// Bounds of the error rate an agent reports: half and more is bad, and it stays
// bad until it is less than a tenth.
const (
	badRate  = 0.5
	goodRate = 0.1
)

// ward is one agent that is watched. What its own requests change is guarded by
// mu, which is held for a few instructions; the rest belongs to whoever judges
// and is guarded by Monitor.judging.
type ward struct {
	id    string
	chunk *chunk
	slot  int32
	lived atomic.Int64 // its last sign of life, on the watch clock
	wait  atomic.Int64 // how long it may be silent before somebody looks

	mu       sync.Mutex
	state    molecule.AgentState // what is believed; empty until its row was read. Written by whoever judges
	noted    bool                // that it was heard is stored. The same
	heardAt  int64               // its last request, on the watch clock; 0: none in this process
	answered int64               // the last answer of its card, the same. Written by whoever judges
	seen     int64               // the same by the calendar, in milliseconds; also of earlier processes
	arrivals [keptGaps]arrival   // a ring
	gaps     [keptGaps]uint16    // a ring, in gapUnit; 0 is none
	arrived  uint8               // where the next goes, in arrivals
	gapped   uint8               // the same in gaps
	asked    uint8               // seconds to its next heartbeat, as it was told
	busy     int64               // silence is announced until then, on the watch clock
	vitals   *vitals             // nil before its first heartbeat
	impaired bool                // by its own word
	heard    bool                // it has ever sent a request
	woken    bool                // it is on the list of those to be looked at
	gone     bool                // removed

	name    string
	kind    molecule.AgentKind
	row     molecule.AgentState // what is stored
	sent    molecule.AgentState // what is being stored
	queued  bool                // it is on the list of what is to be stored
	reason  string              // of what is believed and not stored yet
	failed  int64               // when its card last did not answer, on the watch clock; 0: never
	doubted int64               // when a run of it hung
	asks    uint8               // asks in a row that reached nobody
	streak  uint8               // the same of its runs
	card    uint64              // the address to ask at, see cardOf; 0: there is none
	asking  bool                // its card is being asked for
	vouched bool                // its card answered for it when it was silent
	held    int64               // since when it is held, on the watch clock; 0: it is not
	alarmed bool                // its trouble is told
	flaps   flaps
}

// arrival is one request: its time by the calendar in milliseconds, and its kind
// in the lowest bits.
type arrival int64

const arrivalBits = 3

// requests are the kinds of requests by their number in an arrival.
func requests() [5]molecule.Request {
	return [5]molecule.Request{
		molecule.RequestOther, molecule.RequestHeartbeat, molecule.RequestRegister, molecule.RequestPoll, molecule.RequestReply,
	}
}

func newArrival(at time.Time, what molecule.Request) arrival {
	for i, r := range requests() {
		if r == what {
			return arrival(at.UnixMilli()<<arrivalBits | int64(i))
		}
	}
	return arrival(at.UnixMilli() << arrivalBits)
}

func (a arrival) time() time.Time { return time.UnixMilli(int64(a) >> arrivalBits).UTC() }

func (a arrival) what() molecule.Request {
	known := requests()
	return known[min(int(a)&(1<<arrivalBits-1), len(known)-1)]
}

// vitals is molecule.Vitals as it is kept of each of a hundred thousand agents.
type vitals struct {
	rate    float64
	tasks   int32
	uptime  int64
	busy    int64 // by the calendar, in milliseconds
	wedged  bool
	erring  bool
	phrases *phrases // nil when there are none
}

// phrases are the words in vitals.
type phrases struct{ sample, task, runtime string }

// habit is the longest time that the agent lately let pass between two requests,
// or that it was asked to. Call it with mu held.
func (w *ward) habit() time.Duration {
	longest := time.Duration(w.asked) * time.Second
	for _, g := range w.gaps {
		longest = max(longest, time.Duration(g)*gapUnit)
	}
	return longest
}

// gap returns the longest time that is to be expected between two requests.
// Call it with mu held.
func (w *ward) gap() time.Duration { return min(max(w.habit(), shortestGap), longestGap) }

// patience is how long an agent may be silent before it is suspect.
func patience(gap time.Duration) int64 { return int64(2 * gap) }

// limit is how long an agent may be silent before it is lost, unless its card
// answers.
func limit(gap time.Duration) int64 { return int64(max(90*time.Second, 3*gap)) }

// touch takes a request into account. A gap in which we stalled, or in which the
// agent was given up, says nothing of its pace. Call it with mu held.
func (w *ward) touch(now int64, at time.Time, what molecule.Request, stalled int64) {
	if gap := now - w.heardAt; w.heardAt > stalled && w.heardAt > 0 && gap <= limit(w.gap()) && gap > int64(gapUnit) {
		w.gaps[w.gapped] = uint16(min(gap/int64(gapUnit), math.MaxUint16))
		w.gapped = (w.gapped + 1) % keptGaps
	}
	w.heardAt = max(w.heardAt, now)
	w.seen = max(w.seen, at.UnixMilli())
	w.heard = true
	w.arrivals[w.arrived] = newArrival(at, what)
	w.arrived = (w.arrived + 1) % keptGaps
	if now > w.since() {
		w.setSince(now)
	}
}

// say takes what an agent says of itself into account. Call it with mu held.
func (w *ward) say(v molecule.Vitals, now int64, at time.Time) {
	if w.vitals == nil {
		w.vitals = &vitals{}
	}
	v = v.Bounded(at)
	k := w.vitals
	k.rate, k.tasks, k.uptime = v.ErrorRate, int32(min(v.ActiveTasks, math.MaxInt32)), v.UptimeSeconds
	switch {
	case v.ErrorRate >= badRate:
		k.erring = true
	case v.ErrorRate < goodRate:
		k.erring = false
	}
	switch v.RuntimeState {
	case molecule.RuntimeWedged:
		k.wedged = true
	case "", "ok":
		k.wedged = false
	}
	if p := (phrases{v.SampleError, v.CurrentTask, v.RuntimeState}); p == (phrases{}) {
		k.phrases = nil
	} else if k.phrases == nil || *k.phrases != p {
		k.phrases = &p
	}
	k.busy, w.busy = 0, 0
	if !v.BusyUntil.IsZero() {
		k.busy, w.busy = v.BusyUntil.UnixMilli(), now+int64(v.BusyUntil.Sub(at))
	}
	w.impaired = k.erring || k.wedged
}

// unsettled reports whether what is believed does not go with what was just
// heard. Call it with mu held.
func (w *ward) unsettled() bool {
	switch w.state {
	case molecule.AgentOnline:
		return w.impaired || !w.noted
	case molecule.AgentDegraded:
		return !w.impaired || !w.noted
	case molecule.AgentPaused, molecule.AgentRemoved:
		return false
	}
	return true
}

// rests returns for how long from since on nothing is due of an agent that was
// just heard. Call it with mu held.
func (w *ward) rests() int64 {
	if w.busy == 0 {
		return patience(w.gap())
	}
	return max(patience(w.gap()), w.busy-w.since())
}

// said returns what the agent last said; nil when it never did.
func (w *ward) said() *molecule.Vitals {
	k := w.vitals
	if k == nil {
		return nil
	}
	v := molecule.Vitals{ErrorRate: k.rate, ActiveTasks: int(k.tasks), UptimeSeconds: k.uptime}
	if k.busy > 0 {
		v.BusyUntil = time.UnixMilli(k.busy).UTC()
	}
	if p := k.phrases; p != nil {
		v.SampleError, v.CurrentTask, v.RuntimeState = p.sample, p.task, p.runtime
	}
	return &v
}

// flaps is how often an agent came and went, forgotten by half every quarter of
// an hour.
type flaps struct {
	score float32
	at    int64 // on the watch clock
	open  bool  // it is told that the agent flaps
}

const (
	flapHalf   = 15 * time.Minute
	flapTell   = 4   // above it, one incident for all of it
	flapSettle = 1.5 // below it, that is over
)

// now returns the score at an instant.
func (f *flaps) now(at int64) float32 {
	return f.score * float32(math.Exp2(-float64(at-f.at)/float64(flapHalf)))
}

// add counts one step.
func (f *flaps) add(at int64) {
	f.score, f.at = f.now(at)+1, at
}
