package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
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
//
// It reads no more of HTTP and of JSON than it needs: it shares the processors
// with whom it measures, and what it takes of them is added to each lag.
type sink struct {
	url      string
	listener net.Listener

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
	s := &sink{url: "http://" + l.Addr().String(), listener: l, got: map[slot]time.Time{}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			go s.serve(c)
		}
	}()
	return s, nil
}

func (s *sink) close() { _ = s.listener.Close() } // the process ends

// reset forgets what came, before another load.
func (s *sink) reset(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at, s.got = at, map[slot]time.Time{}
}

// serve answers the requests of one connection until it ends.
func (s *sink) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		head, err := readHead(in)
		if err != nil {
			return
		}
		now := time.Now()
		body := make([]byte, head.length)
		if _, err := io.ReadFull(in, body); err != nil {
			return
		}
		answer := fmt.Appendf(nil, `{"name":"sink","protocolVersion":"0.3.0","url":"%s/","preferredTransport":"JSONRPC","version":"1"}`, s.url)
		if head.post {
			said, _ := time.Parse(time.RFC3339, member(body, "slot")) // who does not say has none
			s.note(member(body, "text"), said, now)
			answer = fmt.Appendf(nil, `{"jsonrpc":"2.0","id":"%s","result":{"kind":"message","messageId":"m","role":"agent","parts":[{"kind":"text","text":"done"}]}}`,
				member(body, "id"))
		}
		_, err = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)
		if err != nil {
			return
		}
	}
}

// head is what is needed of the head of a request.
type head struct {
	post   bool
	length int
}

// readHead reads the lines of a head, to the empty one.
func readHead(in *bufio.Reader) (head, error) {
	var h head
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return h, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return h, nil
		}
		if first {
			h.post = bytes.HasPrefix(line, []byte("POST "))
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if h.length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return h, err
			}
		}
	}
}

// member returns the text of the first member of that name, none of which has
// anything escaped in it.
func member(body []byte, name string) string {
	_, rest, found := bytes.Cut(body, []byte(`"`+name+`":"`))
	text, _, ended := bytes.Cut(rest, []byte(`"`))
	if !found || !ended {
		return ""
	}
	return string(text)
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
