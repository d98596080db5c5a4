package supervised

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/molecule-ai/molecli/internal/molecule"
)

func TestSnapshot_listsAllInOrderAlsoWhenNothingRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		for _, name := range []string{"scheduler", "dispatcher", "event-relay"} {
			if err := s.Add(Spec{Name: name, Every: 30 * time.Second, Optional: name == "event-relay", Run: loop(1, good)}); err != nil {
				t.Fatal(err)
			}
		}
		sub := molecule.Subsystem{State: molecule.SubsystemStarting, EverySeconds: 30, WithinGrace: true}
		relay := sub
		relay.Optional = true
		want := []Status{{"scheduler", sub}, {"dispatcher", sub}, {"event-relay", relay}}
		if diff := cmp.Diff(s.Snapshot(), want); diff != "" {
			t.Errorf("at once (-got +want):\n%s", diff)
		}
		wait(defaultStartGrace + 1)
		for _, st := range s.Snapshot() {
			if st.State != molecule.SubsystemStuck || st.WithinGrace {
				t.Errorf("%s is %s although nobody ever started it", st.Name, st.State)
			}
		}
	})
}

func TestLastTick_survivesARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		begin(t, s, Spec{Name: "loop", Every: time.Minute, Run: func(ctx context.Context, beat *Beat) error {
			if status(t, s, "loop").Restarts == 0 {
				_ = beat.Tick(ctx, good)
				return errDisk
			}
			<-ctx.Done()
			return nil
		}})
		want := time.Now()
		wait(5 * time.Second)
		got, ok := s.LastTick("loop")
		if !ok || !got.Equal(want) {
			t.Errorf("last tick is %s (%t), want %s", got, ok, want)
		}
		if st := status(t, s, "loop"); st.State != molecule.SubsystemStarting || st.WithinGrace || *st.SecondsAgo != 5 {
			t.Errorf("it is %s (grace: %t), last tick %gs ago; want starting, without grace, 5s",
				st.State, st.WithinGrace, *st.SecondsAgo)
		}
		if _, ok := s.LastTick("other"); ok {
			t.Error("an unknown subsystem has ticked")
		}
	})
}

func TestIsHealthy_namesWhatIsNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		failing := func(context.Context) error { return errDisk }
		end := begin(t, s,
			Spec{Name: "good", Every: time.Second, Run: loop(time.Second, good)},
			Spec{Name: "failing", Every: time.Second, Run: loop(time.Second, failing)},
			Spec{Name: "done", Every: time.Second, Restart: OnFailure, Run: func(context.Context, *Beat) error { return nil }},
			Spec{Name: "optional", Every: time.Second, Optional: true, Run: loop(time.Second, failing)},
		)
		wait(time.Second)
		if ok, bad := s.IsHealthy(); !ok {
			t.Errorf("within its grace not healthy: %v", bad)
		}
		wait(time.Minute)
		tests := []struct {
			ask  []string
			want []string
		}{
			{nil, []string{"failing"}},
			{[]string{"good", "done"}, nil},
			{[]string{"optional"}, []string{"optional"}},
			{[]string{"good", "unknown"}, []string{"unknown"}},
			{[]string{"optional", "failing", "good"}, []string{"failing", "optional"}},
		}
		for _, tt := range tests {
			ok, bad := s.IsHealthy(tt.ask...)
			var got []string
			for _, st := range bad {
				got = append(got, st.Name)
			}
			if diff := cmp.Diff(got, tt.want); diff != "" || ok != (len(tt.want) == 0) {
				t.Errorf("IsHealthy(%q) is %t (-got +want):\n%s", tt.ask, ok, diff)
			}
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if ok, _ := s.IsHealthy("good"); ok {
			t.Error("healthy after the end")
		}
	})
}

func TestDump_showsWhatTheGoroutinesDo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		s := New(Options{})
		end := begin(t, s, Spec{Name: "loop", Every: time.Second, Run: func(ctx context.Context, beat *Beat) error {
			go hangInChannel(release)
			return loop(time.Second, good)(ctx, beat)
		}})
		wait(time.Second)
		text, err := s.Dump("loop")
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`"subsystem":"loop"`, "supervised.hangInChannel", "supervised.runGeneration"} {
			if !strings.Contains(text, want) {
				t.Errorf("the dump does not show %s:\n%s", want, text)
			}
		}
		if strings.Contains(text, "testing.tRunner") {
			t.Errorf("the dump shows goroutines of others:\n%s", text)
		}
		if _, err := s.Dump("other"); molecule.CodeOf(err) != molecule.NotFound {
			t.Errorf("for an unknown name: %v, want not_found", err)
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestParseStack_readsAnEntryOfTheProfile(t *testing.T) {
	t.Parallel()
	module := strings.TrimSuffix(ownPath(), "internal/supervised")
	entry := "goroutine profile: total 9\n3 @ 0x1 0x2\n# labels: {\"generation\":\"2\", \"subsystem\":\"x\"}\n"
	tests := []struct {
		name     string
		block    string
		ok       bool
		function string
	}{
		{"no stack", "goroutine profile: total 9", false, ""},
		{"lock under a tick", entry + "#\t0x1\tsync.(*Mutex).Lock+0x1\t\t/go/sync/mutex.go:46\n" +
			"#\t0x2\t" + module + "internal/store.(*DB).Claim+0x2a\t/s/db.go:9\n" +
			"#\t0x3\t" + ownPath() + ".(*Beat).Tick.func1+0x9\t/s/beat.go:1", true, "store.(*DB).Claim"},
		{"a driver under a tick", entry + "#\t0x1\tmodernc.org/libc.wait+0x1\t/m/libc.go:4\n" +
			"#\t0x2\t" + ownPath() + ".Guard+0x9\t/s/guard.go:1", true, "libc.wait"},
		{"a path with a space", entry + "#\t0x1\t" + module + "internal/a.f+0x1\t/my src/a.go:4", true, "a.f"},
		{"no symbols", entry + "#\t0x1", true, "an unknown function"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			st, ok := parseStack(tt.block)
			if ok != tt.ok {
				t.Fatalf("is a stack: %t, want %t", ok, tt.ok)
			}
			if ok && (st.function() != tt.function || st.count != 3 || !st.labelled("subsystem", "x") || st.labelled("subsystem", "y")) {
				t.Errorf("function is %s, want %s; stack %+v", st.function(), tt.function, st)
			}
		})
	}
}

func TestDump_isShortForManyGoroutines(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := New(Options{})
	ready := make(chan struct{})
	end := begin(t, s, Spec{Name: "crowd", Every: time.Minute, Run: func(ctx context.Context, beat *Beat) error {
		for range 2000 {
			go hangInTransaction(nil, release)
		}
		return beat.Tick(ctx, func(context.Context) error { close(ready); hangInChannel(release); return nil })
	}})
	<-ready
	fn, text := blocked(goroutineStacks(), "crowd", s.list()[0].control.Load().gen)
	if fn != "supervised.hangInChannel" || !strings.Contains(text, "(*Beat).Tick") || len(text) > maxDump {
		t.Errorf("blocked in %s, %d bytes:\n%.2000s", fn, len(text), text)
	}
	close(release)
	if err := end(); err != nil {
		t.Error(err)
	}
}
