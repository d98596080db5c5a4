package supervised

import (
	"bytes"
	"fmt"
	"reflect"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
)

// maxDump bounds the text that is kept with a transition.
const maxDump = 16 << 10

// stack is one stack, and how many goroutines with the same labels have it.
type stack struct {
	count  int
	labels string  // {"generation":"1", "subsystem":"scheduler"}
	frames []frame // innermost first
}

type frame struct {
	function string // with its import path
	position string // file:line
}

// goroutineStacks takes the goroutine profile. It is the aggregated form that
// is used, also for a few goroutines: it carries the labels without any setting
// of the runtime, and a hundred thousand equal stacks are one entry.
func goroutineStacks() []stack {
	var buf bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&buf, 1); err != nil {
		return nil // a buffer does not fail
	}
	var stacks []stack
	for block := range strings.SplitSeq(buf.String(), "\n\n") {
		if st, ok := parseStack(block); ok {
			stacks = append(stacks, st)
		}
	}
	return stacks
}

// parseStack reads one entry of the profile:
//
//	2 @ 0x4720ee 0x4090c5
//	# labels: {"generation":"1", "subsystem":"scheduler"}
//	#	0x5e2f6e	path/to/scheduler.(*Scheduler).claimDue+0x4e	/src/claim.go:41
func parseStack(block string) (stack, bool) {
	var st stack
	for line := range strings.Lines(block) {
		line = strings.TrimSpace(line)
		if labels, ok := strings.CutPrefix(line, "# labels: "); ok {
			st.labels = labels
			continue
		}
		fields := strings.FieldsFunc(line, func(r rune) bool { return r == '\t' })
		switch {
		case len(fields) == 4 && fields[0] == "#":
			function := fields[2][:max(strings.LastIndex(fields[2], "+0x"), 0)]
			st.frames = append(st.frames, frame{function, fields[3]})
		case strings.Contains(line, " @ "):
			count, _, _ := strings.Cut(line, " ")
			st.count, _ = strconv.Atoi(count) // zero: not a stack
		}
	}
	return st, st.count > 0
}

// labelled reports whether the goroutines carry the label.
func (st stack) labelled(key, value string) bool {
	return strings.Contains(st.labels, fmt.Sprintf("%q:%q", key, value))
}

// text writes the stack as a panic would, without addresses.
func (st stack) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d goroutine(s) %s\n", st.count, st.labels)
	for _, f := range st.frames {
		fmt.Fprintf(&b, "%s\n\t%s\n", f.function, f.position)
	}
	return b.String()
}

// blocked names the function a generation is in, and returns the stacks of its
// goroutines. The one that is inside a tick comes first, then the one that runs
// the generation; what a subsystem started beside them is seldom the reason.
func blocked(stacks []stack, subsystem string, g *generation) (function, text string) {
	var inTick, root, beside []stack
	for _, st := range stacks {
		switch {
		case !st.labelled(labelSubsystem, subsystem), !st.labelled(labelSupervisor, g.of),
			!st.labelled(labelGeneration, strconv.Itoa(g.number)):
		case st.has(frameTick):
			inTick = append(inTick, st)
		case st.has(frameRoot):
			root = append(root, st)
		default:
			beside = append(beside, st)
		}
	}
	all := slices.Concat(inTick, root, beside)
	if len(all) == 0 {
		return "no function: it has no goroutine", ""
	}
	return all[0].function(), dumpText(all)
}

// dumpText writes stacks one below the other, cut to what is kept.
func dumpText(stacks []stack) string {
	var b strings.Builder
	for i, st := range stacks {
		if b.Len() > maxDump {
			fmt.Fprintf(&b, "and %d more stacks\n", len(stacks)-i)
			break
		}
		b.WriteString(st.text() + "\n")
	}
	return b.String()
}

// The frames of this package that begin what a subsystem does.
const (
	frameTick  = ".(*Beat).Tick"
	frameGuard = ".Guard"
	frameRoot  = ".runGeneration"
)

// has reports whether a function of this package is on the stack, or a closure
// in it.
func (st stack) has(name string) bool {
	return slices.ContainsFunc(st.frames, func(f frame) bool { return f.is(name) })
}

func (f frame) is(name string) bool {
	rest, ok := strings.CutPrefix(f.function, ownPath()+name)
	return ok && (rest == "" || rest[0] == '.')
}

// function names what the goroutine is in: the innermost function of this
// program. The lock or the driver it waits in is in the text.
func (st stack) function() string {
	work := st.frames
	if i := slices.IndexFunc(work, func(f frame) bool {
		return f.is(frameTick) || f.is(frameGuard) || f.is(frameRoot)
	}); i > 0 {
		work = work[:i]
	}
	module, _, _ := strings.Cut(ownPath(), "internal/")
	for _, f := range work {
		if strings.HasPrefix(f.function, module) {
			return f.short()
		}
	}
	if len(work) == 0 {
		return "an unknown function"
	}
	return work[0].short()
}

// short drops the directories of the import path: scheduler.(*Scheduler).claimDue.
func (f frame) short() string {
	return f.function[strings.LastIndex(f.function, "/")+1:]
}

func ownPath() string { return reflect.TypeFor[Beat]().PkgPath() }
