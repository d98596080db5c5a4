package schedulefile

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// BenchmarkRead reads 10,000 schedules: from the form that an export has, from
// the same by way of its tree, and from a crontab.
func BenchmarkRead(b *testing.B) {
	list := make([]molecule.ScheduleSpec, 10_000)
	for i := range list {
		list[i] = molecule.ScheduleSpec{
			Name: fmt.Sprintf("job-%06d", i), Agent: fmt.Sprintf("agent-%d", i%100), Cron: fmt.Sprintf("%d %d * * 1", i%60, i/60%24),
			TZ: "Europe/Berlin", Prompt: fmt.Sprintf("do the work of customer %d and report", i),
		}
	}
	var canonical, crontab bytes.Buffer
	if err := WriteYAML(&canonical, list); err != nil {
		b.Fatal(err)
	}
	if left, err := WriteCrontab(&crontab, list); err != nil || len(left) > 0 {
		b.Fatal(left, err)
	}
	for _, c := range []struct{ name, text string }{
		{"canonical", canonical.String()}, {"tree", "# \n" + canonical.String()}, {"crontab", crontab.String()},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if f, err := Read(c.text, Options{Name: c.name}); err != nil || len(f.Entries) != len(list) {
					b.Fatalf("read %d, %v", len(f.Entries), err)
				}
			}
		})
	}
}
