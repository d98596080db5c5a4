package cron_test

import (
	"fmt"
	"time"

	"github.com/molecule-ai/molecli/internal/cron"
)

func ExampleParse() {
	s, err := cron.Parse("30 2 * * mon-fri,SUN", cron.Options{TZ: "Europe/Berlin"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Canonical())
	fmt.Println(s.Describe())
	slots, err := s.NextN(time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC), 2)
	for _, slot := range slots {
		fmt.Println(slot.In(s.Location()).Format(time.RFC1123Z), err)
	}
	// Output:
	// 30 2 * * MON-FRI,SUN
	// at 02:30 on Monday to Friday and Sunday, Europe/Berlin
	// Sun, 29 Mar 2026 03:00:00 +0200 <nil>
	// Mon, 30 Mar 2026 02:30:00 +0200 <nil>
}

func ExampleParse_invalid() {
	_, err := cron.Parse("0 8 * * FRY", cron.Options{})
	fmt.Println(err)
	// Output:
	// invalid cron expression: field 5 (weekday): "FRY" is not a weekday, did you mean FRI?
	// 0 8 * * FRY
	//         ^~~
}
