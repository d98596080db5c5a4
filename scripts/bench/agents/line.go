package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"
	"time"
)

// What an agent can send.
const (
	signHeartbeat = "heartbeat"
	signState     = "state"
)

// request is a whole request of an agent, as clients in the field send it: with
// the header of the organisation and its token.
func request(sign, id, token string) []byte {
	if sign == signState {
		return fmt.Appendf(nil, "GET /workspaces/%s/state HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Molecule-Org-Id: %s\r\nAuthorization: Bearer %s\r\n\r\n",
			id, orgID, token)
	}
	body := `{"workspace_id":"` + id + `","error_rate":0.02,"sample_error":"","active_tasks":1,"uptime_seconds":86400,` +
		`"current_task":"weekly report","runtime_state":"ok"}`
	return fmt.Appendf(nil, "POST /registry/heartbeat HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Molecule-Org-Id: %s\r\nContent-Type: application/json\r\n"+
		"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", orgID, token, len(body), body)
}

// line is one connection that is kept.
type line struct {
	conn net.Conn
	in   [4096]byte
}

func (h *herd) dial(ctx context.Context) (*line, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", h.daemon.address)
	if err != nil {
		return nil, err
	}
	return &line{conn: conn}, nil
}

func (l *line) close() { _ = l.conn.Close() }

// send sends the request of an agent and reads the answer, which has to be a 200.
func (l *line) send(a *agent) error {
	sent := time.Now()
	if _, err := l.conn.Write(a.request); err != nil {
		return err
	}
	body, err := l.answer()
	if err != nil {
		return err
	}
	a.heard(sent)
	if _, v, ok := bytes.Cut(body, []byte(`"next_heartbeat_seconds":`)); ok {
		n, err := strconv.Atoi(string(bytes.TrimRight(v, "}\n")))
		if err != nil {
			return err
		}
		a.asked.Store(int64(n))
	}
	return nil
}

// answer reads one answer, mostly with one read, and returns its body.
func (l *line) answer() ([]byte, error) {
	for n := 0; n < len(l.in); {
		more, err := l.conn.Read(l.in[n:])
		if err != nil {
			return nil, err
		}
		n += more
		head, body, whole := bytes.Cut(l.in[:n], []byte("\r\n\r\n"))
		if !whole {
			continue
		}
		length, err := bodyLength(head)
		if err != nil {
			return nil, err
		}
		if len(body) < length {
			continue
		}
		if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
			return nil, fmt.Errorf("answered with %q", l.in[:n])
		}
		return body, nil
	}
	return nil, fmt.Errorf("an answer of more than %d bytes", len(l.in))
}

func bodyLength(head []byte) (int, error) {
	_, v, ok := bytes.Cut(head, []byte("\r\nContent-Length: "))
	if !ok {
		return 0, fmt.Errorf("an answer without its length: %q", head)
	}
	v, _, _ = bytes.Cut(v, []byte("\r"))
	return strconv.Atoi(string(v))
}
