package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/robfig/cron/v3"
)

// connections is how many a library may have open at once: as many as moleculed
// opens, for without a bound a burst ends in refused ones.
const connections = 64

// fire is a process that fires jobs by a library until it is told to stop.
func fire(ctx context.Context, args []string) error {
	if len(args) != 4 {
		return errors.New("fire needs LIBRARY URL CRON JOBS")
	}
	jobs, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	c := &http.Client{Transport: &http.Transport{MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections}}
	work := func(i int) { _ = send(ctx, c, args[1], job(i)) } // the sink counts what came
	switch args[0] {
	case "gocron":
		err = fireGocron(jobs, args[2], work)
	case "robfig":
		err = fireRobfig(jobs, args[2], work)
	default:
		return fmt.Errorf("no library is called %q", args[0])
	}
	if err != nil {
		return err
	}
	fmt.Println("ready")
	<-ctx.Done()
	return nil
}

// fireGocron starts jobs of gocron.
func fireGocron(jobs int, spec string, work func(int)) error {
	s, err := gocron.NewScheduler(gocron.WithLocation(time.UTC))
	if err != nil {
		return err
	}
	for i := range jobs {
		if _, err := s.NewJob(gocron.CronJob(spec, true), gocron.NewTask(work, i)); err != nil {
			return err
		}
	}
	s.Start()
	return nil
}

// fireRobfig starts jobs of robfig/cron.
func fireRobfig(jobs int, spec string, work func(int)) error {
	c := cron.New(cron.WithSeconds(), cron.WithLocation(time.UTC))
	for i := range jobs {
		if _, err := c.AddFunc(spec, func() { work(i) }); err != nil {
			return err
		}
	}
	c.Start()
	return nil
}

// job returns the name of a job, which is its prompt.
func job(i int) string { return fmt.Sprintf("job-%06d", i) }

// body returns the call that moleculed makes too, but for what it says of the run.
func body(job string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":"1","method":"message/send","params":{"message":{"kind":"message","messageId":"m",`+
		`"role":"user","parts":[{"kind":"text","text":"%s"}]},"configuration":{"blocking":false}}}`, job)
}

// send sends the message of a job and reads the answer.
func send(ctx context.Context, c *http.Client, url, job string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(body(job))))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close())
}

// post is a process that sends the message of one job.
func post(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("post needs URL JOB")
	}
	return send(ctx, http.DefaultClient, args[0], args[1])
}

// itself returns the path of this program.
func itself() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}
