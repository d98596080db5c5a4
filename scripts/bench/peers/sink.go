package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// sink is an agent that speaks A2A 0.3, answers at once and notes when it was
// asked. What a job is, is its prompt. Its slot is what the message says, or the
// instant that all are due at, or else the second in which it came: a peer that
// does not say may be more than a second late and look early, but then a slot of
// that job is missing and counts as lost.
type sink struct {
	url    string
	server *http.Server

	mu  sync.Mutex
	at  time.Time // when all are due; zero when every second
	got map[slot]time.Time
}

// slot is one time at which one job is due.
type slot struct {
	job string
	at  int64 // seconds since 1970
}

// early is by how much a message may come before its second and still be of it.
const early = 20 * time.Millisecond

// openSink listens on loopback.
func openSink() (*sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{url: "http://" + l.Addr().String(), got: map[slot]time.Time{}}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.server.Serve(l) }() // ends with close, and says so
	return s, nil
}

func (s *sink) close() { _ = s.server.Close() } // the process ends

// reset forgets what came, before another load.
func (s *sink) reset(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at, s.got = at, map[slot]time.Time{}
}

// message is what the sink reads of a call.
type message struct {
	ID     json.RawMessage `json:"id"`
	Params struct {
		Message struct {
			Parts []struct {
				Text string `json:"text"`
			} `json:"parts"`
			Metadata struct {
				Run struct {
					Slot time.Time `json:"slot"`
				} `json:"molecule/run"`
			} `json:"metadata"`
		} `json:"message"`
	} `json:"params"`
}

// ServeHTTP answers with the card or to a message.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodGet {
		_, _ = fmt.Fprintf(w, `{"name":"sink","protocolVersion":"0.3.0","url":"http://%s/","preferredTransport":"JSONRPC","version":"1"}`, r.Host)
		return
	}
	var m message
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil || len(m.Params.Message.Parts) != 1 {
		http.Error(w, "not a message", http.StatusBadRequest)
		return
	}
	s.note(m.Params.Message.Parts[0].Text, m.Params.Message.Metadata.Run.Slot, now)
	_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"kind":"message","messageId":"m","role":"agent","parts":[{"kind":"text","text":"done"}]}}`, m.ID)
}

// note keeps the first time that a job came for its slot.
func (s *sink) note(job string, said, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := said
	switch {
	case !s.at.IsZero():
		at = s.at
	case at.IsZero():
		at = now.Add(early).Truncate(time.Second)
	}
	k := slot{job, at.Unix()}
	if _, again := s.got[k]; !again {
		s.got[k] = now
	}
}

// count returns for how many slots a job came.
func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got)
}

// figures are what was measured of one load.
type figures struct {
	came, lost     int
	p50, p99, most time.Duration
	last           time.Time
	cpu            time.Duration
	rss            float64 // MB
	rate           float64 // fires a second
	stored         float64 // the same, until each result is stored
}

// String returns the lags.
func (f figures) String() string {
	ms := func(d time.Duration) string { return strconv.FormatFloat(float64(d.Microseconds())/1000, 'g', 3, 64) }
	return strings.Join([]string{ms(f.p50), ms(f.p99), ms(f.most)}, " / ")
}

// settled returns how the rate is said with the results, where they are kept.
func (f figures) settled() string {
	if f.stored == 0 {
		return ""
	}
	return fmt.Sprintf(", %.0f /s with each result stored", f.stored)
}

// figures returns how late the messages of the slots between from and to came.
func (s *sink) figures(from, to time.Time) figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	var late []time.Duration
	f := figures{last: from}
	for k, at := range s.got {
		if k.at < from.Unix() || k.at >= to.Unix() {
			continue
		}
		late = append(late, at.Sub(time.Unix(k.at, 0)))
		if at.After(f.last) {
			f.last = at
		}
	}
	if f.came = len(late); f.came == 0 {
		return f
	}
	slices.Sort(late)
	f.p50, f.p99, f.most = late[len(late)/2], late[len(late)*99/100], late[len(late)-1]
	return f
}
