package tenant_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"
)

// BenchmarkNotFound asks in turn for what the guard refuses and for a path that
// is not there, on one connection, and reports the medians of both and how far
// they are apart.
func BenchmarkNotFound(b *testing.B) {
	conn, err := net.Dial("tcp", serve(b))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	ask := func(path, org string) time.Duration {
		began := time.Now()
		if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: acme.example\r\n"+org+"\r\n"); err != nil {
			b.Fatal(err)
		}
		res, err := http.ReadResponse(answers, nil)
		if err != nil || res.StatusCode != http.StatusNotFound {
			b.Fatalf("%v, %v", res, err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			b.Fatal(err)
		}
		return time.Since(began)
	}
	var guarded, unknown []time.Duration
	for b.Loop() {
		guarded = append(guarded, ask("/v1/agents", wrongOrg))
		unknown = append(unknown, ask("/v1/nothing", rightOrg))
	}
	median := func(all []time.Duration) float64 {
		slices.Sort(all)
		return float64(all[len(all)/2])
	}
	g, u := median(guarded), median(unknown)
	b.ReportMetric(g/1000, "guarded-µs")
	b.ReportMetric(u/1000, "unknown-µs")
	b.ReportMetric(100*(g-u)/u, "apart-%")
}
