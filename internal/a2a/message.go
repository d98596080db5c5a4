package a2a

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// metadataRun is the key under which a message says which run it is.
const metadataRun = "molecule/run"

// metadata is what a message says about its run; nothing when it is of none.
func metadata(d molecule.Delivery) map[string]any {
	if d.Run.ID == "" {
		return nil
	}
	return map[string]any{metadataRun: map[string]any{
		"schedule": d.Run.Schedule,
		"slot":     d.Run.Slot.UTC().Format(time.RFC3339),
		"attempt":  d.Attempt,
		"deadline": d.Run.Deadline.UTC().Format(time.RFC3339),
		"trigger":  string(d.Run.Trigger),
	}}
}

// traceparent is the W3C trace context of one attempt: the trace is the
// message, so that re-sends are in one trace.
func traceparent(d molecule.Delivery) string {
	trace, err := uuid.Parse(d.Run.MessageID)
	if err != nil {
		trace = uuid.New()
	}
	span := uuid.New()
	return "00-" + strings.ReplaceAll(trace.String(), "-", "") + "-" + strings.ReplaceAll(span.String(), "-", "")[:16] + "-01"
}

// usage looks for what the agent spent where agents are known to report it:
// beside the result, in its metadata, or in that of its task or message.
func usage(result json.RawMessage) *molecule.Usage {
	var v map[string]any
	if json.Unmarshal(result, &v) != nil {
		return nil
	}
	places := []map[string]any{v}
	for _, key := range []string{"task", "message"} {
		if inner, ok := v[key].(map[string]any); ok {
			places = append(places, inner)
		}
	}
	for _, p := range places {
		if status, ok := p["status"].(map[string]any); ok {
			if m, ok := status["message"].(map[string]any); ok {
				places = append(places, m)
			}
		}
	}
	for _, p := range places {
		for _, holder := range []any{p["usage"], member(p["metadata"], "usage")} {
			if u, ok := holder.(map[string]any); ok {
				return readUsage(u)
			}
		}
	}
	return nil
}

func member(v any, key string) any {
	m, _ := v.(map[string]any) // not an object: no member
	return m[key]
}

// readUsage takes the numbers that are there; one that is not stays nil.
func readUsage(u map[string]any) *molecule.Usage {
	out := &molecule.Usage{
		InputTokens:  whole(u, "input_tokens", "inputTokens", "prompt_tokens"),
		OutputTokens: whole(u, "output_tokens", "outputTokens", "completion_tokens"),
	}
	for _, key := range []string{"cost_usd", "costUsd", "cost"} {
		if f, ok := u[key].(float64); ok {
			out.CostUSD = &f
			break
		}
	}
	if out.InputTokens == nil && out.OutputTokens == nil && out.CostUSD == nil {
		return nil
	}
	return out
}

// whole returns the first of keys that is a whole number.
func whole(u map[string]any, keys ...string) *int64 {
	for _, key := range keys {
		if f, ok := u[key].(float64); ok && f == float64(int64(f)) {
			n := int64(f)
			return &n
		}
	}
	return nil
}
