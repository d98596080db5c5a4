package cron_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/molecule-ai/molecli/internal/cron"
	"github.com/molecule-ai/molecli/internal/molecule"
)

// benchNow is what the benchmarks count from: the running process keeps the
// period of each zone that holds the present, as the daemon does.
func benchNow() time.Time { return time.Now().UTC() }

// BenchmarkNext is one step of the live loop; the bar is 150 ns and no
// allocation.
func BenchmarkNext(b *testing.B) {
	for _, bm := range []struct{ name, expr, tz string }{
		{name: "minutely UTC", expr: "* * * * *", tz: "UTC"},
		{name: "minutely Berlin", expr: "* * * * *", tz: "Europe/Berlin"},
		{name: "quarters Berlin", expr: "*/15 * * * *", tz: "Europe/Berlin"},
		{name: "hourly Berlin", expr: "@hourly", tz: "Europe/Berlin"},
		{name: "daily UTC", expr: "@daily", tz: "UTC"},
		{name: "twice a day Berlin", expr: "7 6,18 * * *", tz: "Europe/Berlin"},
		{name: "weekdays Santiago", expr: "0 8 * * 1-5", tz: "America/Santiago"},
		{name: "weekdays New York", expr: "*/10 9-17 * * MON-FRI", tz: "America/New_York"},
		{name: "weekly Tokyo", expr: "@weekly", tz: "Asia/Tokyo"},
		{name: "monthly UTC", expr: "@monthly", tz: "UTC"},
		{name: "every 90s", expr: "@every 90s", tz: "UTC"},
	} {
		b.Run(bm.name, func(b *testing.B) { benchmarkNext(b, bm.expr, bm.tz) })
	}
}

// BenchmarkNextRare is the same for expressions that are seldom due.
func BenchmarkNextRare(b *testing.B) {
	for _, bm := range []struct{ name, expr, tz string }{
		{name: "monthly Berlin", expr: "@monthly", tz: "Europe/Berlin"},
		{name: "last Friday Berlin", expr: "0 8 * * FRIL", tz: "Europe/Berlin"},
		{name: "last working day Berlin", expr: "0 8 LW * *", tz: "Europe/Berlin"},
		{name: "yearly Berlin", expr: "@yearly", tz: "Europe/Berlin"},
		{name: "in 2090 Berlin", expr: "0 8 * * * 2090", tz: "Europe/Berlin"},
		{name: "leap day Berlin", expr: "0 0 29 2 *", tz: "Europe/Berlin"},
		{name: "Sunday the 29 February Berlin", expr: "0 0 29 2 */6", tz: "Europe/Berlin"},
	} {
		b.Run(bm.name, func(b *testing.B) { benchmarkNext(b, bm.expr, bm.tz) })
	}
}

func benchmarkNext(b *testing.B, expr, tz string) {
	b.Helper()
	s, ref := mustParse(b, expr, tz), benchNow()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Next(ref); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPrev(b *testing.B) {
	s, ref := mustParse(b, "0 8 * * 1-5", "Europe/Berlin"), benchNow()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Prev(ref); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPreview is what one request costs: parse, describe and ten slots.
// The bar is 50 µs for the worst that a user can write.
func BenchmarkPreview(b *testing.B) {
	minutes := make([]string, 60)
	for i := range minutes {
		minutes[i] = strconv.Itoa(i)
	}
	list := strings.Join(minutes, ",")
	for _, bm := range []struct {
		name, expr string
		o          cron.Options
	}{
		{name: "common", expr: "*/15 9-17 * * MON-FRI", o: cron.Options{TZ: "Europe/Berlin"}},
		{name: "every second and minute listed", expr: list + " " + list + " * * * MON", o: cron.Options{TZ: "Europe/Berlin", Seconds: true}},
		{name: "Sunday the 29 February", expr: "0 0 29 2 */6", o: cron.Options{TZ: "Europe/Berlin"}},
		{name: "Sunday the 29 February, both", expr: "30 2 29 2 */6", o: cron.Options{TZ: "Europe/Berlin", DST: cron.DSTBoth}},
		{name: "forms", expr: "0 0 L-30,31W,29W */11 MON#5,TUE#5,WEDL", o: cron.Options{TZ: "America/Santiago"}},
		{name: "last second of the years", expr: "59 59 23 31 12 * 2099", o: cron.Options{TZ: "Africa/Casablanca", Seconds: true}},
		{name: "grid beside a gap", expr: "*/30 2 25-31 3 SUN", o: cron.Options{TZ: "Europe/Berlin", DST: cron.DSTSkip}},
		{name: "a fifth Sunday on a 29th", expr: "*/59 2 29 */2 SUN#5", o: cron.Options{TZ: "Europe/Berlin"}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			ref := benchNow()
			b.ReportAllocs()
			for b.Loop() {
				s, err := cron.Parse(bm.expr, bm.o)
				if err != nil {
					b.Fatal(err)
				}
				if slots, err := s.NextN(ref, 10); err != nil || s.Describe() == "" {
					b.Fatal(slots, err)
				}
			}
		})
	}
}

// BenchmarkRefuse is what the refusal of each expression of the table costs, all
// zones being known; the bar is 50 µs. It reports the slowest as well.
func BenchmarkRefuse(b *testing.B) {
	for _, bad := range badExpressions() {
		b.Run(molecule.Excerpt(bad.expr, 30), func(b *testing.B) {
			for b.Loop() {
				if bad.parse() == nil {
					b.Fatal("it was accepted")
				}
			}
		})
	}
}
