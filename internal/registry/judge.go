package registry

import (
	"fmt"
	"time"

	"github.com/molecule-ai/molecli/internal/molecule"
)

const (
	askBefore  = 10 * time.Second // the card is asked once more so long before the limit
	askAgain   = 15 * time.Second // of one that never sent a request, or whose card answers for it
	askHeld    = 20 * time.Second // of one that is held
	askOffline = time.Minute
	orphanFor  = time.Minute // an agent without a row is kept so long
)

// judge decides what is to be believed of one agent now, and when to look
// again. Call it with judging held, as all of this file.
func (m *Monitor) judge(w *ward, now int64) {
	f := w.facts(now)
	switch {
	case f.state == "":
		m.judgeOrphan(w, f)
	case f.state == molecule.AgentPaused || w.kind == molecule.AgentExec:
		w.setWait(never)
	case !f.heard:
		m.judgeUnheard(w, f)
	case f.state == molecule.AgentSuspect && w.doubted > 0 && f.since <= w.doubted:
		m.ask(w, f, askAgain) // a run hung: its requests of before prove nothing
	case f.silence() <= f.patience:
		m.judgeHeard(w, f)
	case now < m.calm:
		w.setWait(m.calm - f.since)
	default:
		m.judgeSilent(w, f)
	}
}

// facts are what a judgement is made of.
type facts struct {
	now      int64
	since    int64 // the last sign of life, of
	proof    molecule.AgentSign
	state    molecule.AgentState
	heard    bool
	impaired bool
	patience int64
	limit    int64
}

// silence is how long there was no sign of life.
func (f facts) silence() int64 { return f.now - f.since }

func (w *ward) facts(now int64) facts {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy > max(w.since(), 0) && now >= w.busy {
		w.setSince(w.busy) // what it announced is over: from here on it is expected as ever
	}
	f := facts{
		now: now, since: w.since(), proof: molecule.SignHeard, state: w.state, heard: w.heard, impaired: w.impaired,
		patience: w.rests(), limit: limit(w.gap()),
	}
	if w.answered > w.heardAt {
		f.proof = molecule.SignAnswered
	}
	return f
}

// judgeOrphan waits for the row of an agent that sent requests.
func (m *Monitor) judgeOrphan(w *ward, f facts) {
	if m.loaded && f.silence() > int64(orphanFor) {
		m.drop(w)
		return
	}
	w.setWait(f.silence() + int64(time.Second))
}

// judgeHeard takes back what was believed of the silence of an agent that is
// there, and believes what it says of itself.
func (m *Monitor) judgeHeard(w *ward, f facts) {
	own, reason := molecule.SignMended, "it sent a request"
	switch {
	case f.impaired:
		own, reason = molecule.SignImpaired, "it says that much of what it does fails, or that it is wedged"
	case f.state == molecule.AgentDegraded:
		reason = "it says that it does well again"
	case f.proof == molecule.SignAnswered:
		reason = "its card answers"
	}
	if m.believe(w, f, reason, f.proof, own) {
		w.setWait(f.patience)
	}
	if f.proof == molecule.SignHeard {
		w.vouched, w.asks = false, 0
	}
}

// judgeSilent decides about an agent that should have been heard by now.
func (m *Monitor) judgeSilent(w *ward, f facts) {
	switch f.state {
	case molecule.AgentOffline:
		m.ask(w, f, askOffline)
	case molecule.AgentUnknown:
		m.judgeHeld(w, f)
	case molecule.AgentSuspect:
		m.judgeSuspect(w, f)
	default:
		if w.card != 0 && w.vouched {
			// It sends few requests, and its card has answered for it before: it is
			// asked first, and called suspect only when it does not.
			m.ask(w, f, askAgain)
			return
		}
		if m.believe(w, f, "silent for "+seconds(f.silence()), molecule.SignSilent) {
			m.judgeSuspect(w, f)
		}
	}
}

// judgeSuspect looks for an agent that is silent, and gives it up when its limit
// has passed and it cannot be reached either.
func (m *Monitor) judgeSuspect(w *ward, f facts) {
	last := f.limit - int64(askBefore) // the silence at which the card is asked once more
	switch {
	case w.card == 0 && f.silence() >= f.limit:
		m.lapse(w, f, fmt.Sprintf("silent for %s", seconds(f.silence())))
	case w.card == 0:
		w.setWait(f.limit)
	case f.silence() >= f.limit && w.unanswered(f.since+last):
		m.lapse(w, f, fmt.Sprintf("silent for %s, and its card does not answer", seconds(f.silence())))
	case f.silence() >= f.limit:
		m.ask(w, f, time.Second)
	case f.silence() >= last:
		m.ask(w, f, askBefore)
		w.setWait(f.limit)
	default:
		m.ask(w, f, askAgain)
		w.setWait(last)
	}
}

// unanswered reports whether the card was asked for in vain at t or later.
func (w *ward) unanswered(t int64) bool { return w.failed >= t && w.failed > w.answered }

// judgeUnheard decides about an agent that never sent a request. Its silence
// says nothing; that it cannot be reached three times in a row does.
func (m *Monitor) judgeUnheard(w *ward, f facts) {
	switch {
	case f.state == molecule.AgentUnknown:
		m.judgeHeld(w, f)
	case f.state == molecule.AgentOffline:
		m.ask(w, f, askOffline)
	case w.asks >= molecule.SilentLimit:
		m.lapse(w, f, "its card did not answer three times in a row")
	case w.streak >= molecule.SilentLimit:
		m.lapse(w, f, "three runs in a row reached nobody")
	case f.state == molecule.AgentSuspect, f.state == molecule.AgentPending:
		m.ask(w, f, askAgain)
	default:
		w.setWait(never)
	}
}

// ask has the card of an agent asked for, unless that was done within every, and
// looks again after that.
func (m *Monitor) ask(w *ward, f facts, every time.Duration) {
	if w.card == 0 {
		w.setWait(never)
		return
	}
	last := max(w.failed, w.answered)
	if left := last + int64(every) - f.now; last > 0 && left > 0 {
		w.setWait(f.silence() + left)
		return
	}
	if !w.asking {
		w.asking = true
		m.queue.put(w)
	}
	w.setWait(f.silence() + int64(every))
}

// believe takes signs into account and has what changes stored. It does nothing
// when the agent gave another sign of life since the facts were taken; then it is
// looked at again.
func (m *Monitor) believe(w *ward, f facts, reason string, signs ...molecule.AgentSign) bool {
	w.mu.Lock()
	if w.since() != f.since {
		w.mu.Unlock()
		w.setWait(0)
		return false
	}
	from := w.state
	w.state = from.After(signs...)
	note := w.heard && !w.noted
	w.mu.Unlock()
	if w.state != from {
		w.reason = reason
		m.moved(w, from, f.now)
	}
	if w.state != from || note {
		m.store(w)
	}
	return true
}

// seconds writes a silence for a reader.
func seconds(d int64) string { return time.Duration(d).Round(time.Second).String() }
