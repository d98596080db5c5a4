package supervised_test

import (
	"context"
	"fmt"
	"time"

	"github.com/molecule-ai/molecli/internal/supervised"
)

// A subsystem does its work in ticks. A panic in one costs that tick alone, and
// only a tick that ended well is a heartbeat.
func Example() {
	rows := []string{"hello", "", "goodbye"}
	first := func(s string) byte { return s[0] }

	sup := supervised.New(supervised.Options{})
	err := sup.Add(supervised.Spec{
		Name:    "greeter",
		Every:   30 * time.Second,
		Restart: supervised.OnFailure, // it may finish
		Run: func(ctx context.Context, beat *supervised.Beat) error {
			for _, row := range rows {
				err := beat.Tick(ctx, func(context.Context) error {
					fmt.Printf("%c\n", first(row))
					return nil
				})
				if err != nil {
					fmt.Println(err)
				}
			}
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := sup.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	for _, st := range sup.Snapshot() {
		fmt.Println(st.Name, st.State, st.Restarts, st.LastTickAt != nil)
	}
	// Output:
	// h
	// panic: runtime error: index out of range [0] with length 0
	// g
	// greeter stopped 0 true
}
