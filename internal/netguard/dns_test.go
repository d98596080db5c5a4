package netguard

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// answerFunc returns the addresses of a name; nth counts the look-ups of this
// name and family, from 1. No address at all is "no such name".
type answerFunc func(name string, nth int) []netip.Addr

// nameServer is somebody else's name server, on loopback.
type nameServer struct {
	conn   net.PacketConn
	answer answerFunc

	mu    sync.Mutex
	asked map[string]int // by name and type
}

// Types of records.
const (
	typeA    = 1
	typeAAAA = 28
)

// startNameServer returns a server and its ip:port.
func startNameServer(t *testing.T, answer answerFunc) (*nameServer, string) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{conn: conn, answer: answer, asked: make(map[string]int)}
	var wg sync.WaitGroup
	wg.Go(s.serve)
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
	return s, conn.LocalAddr().String()
}

func (s *nameServer) serve() {
	buf := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFrom(buf)
		if err != nil {
			return // closed
		}
		if reply := s.reply(buf[:n]); reply != nil {
			if _, err := s.conn.WriteTo(reply, from); err != nil {
				return
			}
		}
	}
}

// lookups returns how often the addresses of a family were asked for.
func (s *nameServer) lookups(name string, family uint16) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[key(name, family)]
}

func key(name string, family uint16) string {
	if family == typeA {
		return name + " A"
	}
	return name + " AAAA"
}

// reply answers one query: header, the question as it came, the answers.
func (s *nameServer) reply(query []byte) []byte {
	name, end := question(query)
	if end == 0 {
		return nil
	}
	family := binary.BigEndian.Uint16(query[end-4:])
	s.mu.Lock()
	s.asked[key(name, family)]++
	nth := s.asked[key(name, family)]
	s.mu.Unlock()

	all := s.answer(name, nth)
	var records []byte
	count := 0
	for _, a := range all {
		if a.Is4() != (family == typeA) {
			continue
		}
		count++
		data := a.AsSlice()
		records = append(records, 0xc0, 12) // the name of the question
		records = binary.BigEndian.AppendUint16(records, family)
		records = append(records, 0, 1, 0, 0, 0, 0, 0, byte(len(data))) // IN, not to be kept
		records = append(records, data...)
	}
	flags := uint16(0x8180) // a recursive answer
	if len(all) == 0 {
		flags |= 3 // no such name
	}
	out := append([]byte{}, query[:2]...)
	for _, v := range []uint16{flags, 1, uint16(count), 0, 0} {
		out = binary.BigEndian.AppendUint16(out, v)
	}
	return append(append(out, query[12:end]...), records...)
}

// question returns the name a query asks for, and where the question ends.
func question(query []byte) (string, int) {
	var labels []string
	at := 12
	for at < len(query) && query[at] != 0 {
		next := at + 1 + int(query[at])
		if next > len(query) {
			return "", 0
		}
		labels = append(labels, string(query[at+1:next]))
		at = next
	}
	if at+5 > len(query) {
		return "", 0
	}
	return strings.ToLower(strings.Join(labels, ".")), at + 5
}

// addrs parses addresses separated by spaces.
func addrs(text string) []netip.Addr {
	var all []netip.Addr
	for s := range strings.FieldsSeq(text) {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}
