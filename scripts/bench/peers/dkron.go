package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"time"
)

// dkronAgent starts one node of dkron that is its own server, and makes its jobs
// by its API, one after the other, as it offers no other way.
func dkronAgent(path string) func(context.Context, *work, load) error {
	return func(ctx context.Context, w *work, l load) error {
		ports, err := free(3)
		if err != nil {
			return err
		}
		if err := w.run(exec.CommandContext(ctx, path, "agent", "--server", "--bootstrap-expect", "1", "--data-dir", w.dir,
			"--http-addr", ports[0], "--bind-addr", ports[1], "--rpc-port", port(ports[2]), "--log-level", "error")); err != nil {
			return err
		}
		for i := range l.jobs {
			text, err := json.Marshal(map[string]any{
				"name": job(i), "schedule": l.cron, "timezone": "UTC", "concurrency": "allow", "executor": "http",
				"executor_config": map[string]string{
					"method": "POST", "url": l.sink, "headers": `["Content-Type: application/json"]`,
					"body": body(job(i)), "timeout": "30", "expectCode": "200",
				},
			})
			if err != nil {
				return err
			}
			if err := makeJob(ctx, "http://"+ports[0]+"/v1/jobs", text); err != nil {
				return fmt.Errorf("make %s: %w: %s", job(i), err, w.errs.Bytes())
			}
		}
		return nil
	}
}

// makeJob asks for a job until the node has elected itself, or too long.
func makeJob(ctx context.Context, url string, text []byte) error {
	var last error
	for began := time.Now(); time.Since(began) < 15*time.Second; {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(text))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close() // the status says it
			if resp.StatusCode < http.StatusMultipleChoices {
				return nil
			}
			err = fmt.Errorf("status %d", resp.StatusCode)
		}
		last = err
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return last
}

// free returns so many addresses on which nobody listens.
func free(n int) ([]string, error) {
	var all []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		all = append(all, l.Addr().String())
	}
	return all, nil
}

// port returns the port of an address.
func port(addr string) string {
	_, p, _ := net.SplitHostPort(addr) // it comes from free
	return p
}
