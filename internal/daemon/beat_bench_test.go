package daemon

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// BenchmarkHeartbeat sends heartbeats over loopback to the whole daemon, with
// token, organisation and JSON, on eight connections.
func BenchmarkHeartbeat(b *testing.B) {
	org := "acme"
	d := serve(b, func(cfg *Config) {
		cfg.OrgID, cfg.Listen = &org, append(cfg.Listen, "http://127.0.0.1:0")
	})
	ctx := molecule.WithPrincipal(context.Background(), molecule.Daemon())
	var requests [][]byte
	for i := range 1000 {
		a := molecule.Agent{Name: fmt.Sprintf("agent-%03d", i), Kind: molecule.AgentPoll}
		if err := d.services.agents.CreateAgent(ctx, &a); err != nil {
			b.Fatal(err)
		}
		body := `{"workspace_id":"` + a.ID + `","error_rate":0.02,"sample_error":"","active_tasks":1,"uptime_seconds":86400,"current_task":"weekly report","runtime_state":"ok"}`
		requests = append(requests, fmt.Appendf(nil, "POST /registry/heartbeat HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Molecule-Org-Id: acme\r\n"+
			"Content-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", a.Token.Reveal(), len(body), body))
	}
	var turn atomic.Int64
	b.ResetTimer()
	b.SetParallelism(8)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(d.Addr("tcp"), "http://"))
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		for pb.Next() {
			if _, err := conn.Write(requests[int(turn.Add(1))%len(requests)]); err != nil {
				b.Error(err)
				return
			}
			res, err := http.ReadResponse(in, nil)
			if err != nil || res.StatusCode != http.StatusOK {
				b.Errorf("%+v, %v", res, err)
				return
			}
			_ = res.Body.Close()
		}
	})
}
