package a2a

import (
	"encoding/json"
	"strings"

	"github.com/molecule-ai/molecli/internal/molecule"
)

// Over HTTP+JSON the servers of 0.3 read and write the JSON form of its
// protocol buffers, as 1.0 does everywhere, and not that of JSON-RPC: a task or
// a message is wrapped in its name, roles and states are in capitals, and what
// a message says is its content. Checked with @a2a-js/sdk 0.3.14 on 2026-11-25.

// messageREST is the message of a delivery. Whoever parses it strictly refuses
// a member that is not in the protocol buffer.
func messageREST(d molecule.Delivery) map[string]any {
	return map[string]any{
		"messageId": d.Run.MessageID,
		"role":      "ROLE_USER",
		"content":   []any{map[string]any{"text": d.Text}},
		"metadata":  metadata(d),
	}
}

// plain rewrites an answer of HTTP+JSON as JSON-RPC has it. What is so already,
// as some write it, stays as it is.
func plain(result json.RawMessage) json.RawMessage {
	var v map[string]any
	if json.Unmarshal(result, &v) != nil {
		return result
	}
	for _, kind := range []string{"task", "message", "msg"} {
		if inner, ok := v[kind].(map[string]any); ok {
			v = inner
			break
		}
	}
	plainMessage(v)
	if status, ok := v["status"].(map[string]any); ok {
		rename(status, "state", "TASK_STATE_")
		plainMessage(status["message"])
	}
	artifacts, _ := v["artifacts"].([]any) // none, or no list: nothing to rewrite
	for _, a := range artifacts {
		plainParts(member(a, "parts"))
	}
	text, err := json.Marshal(v)
	if err != nil {
		return result
	}
	return text
}

func plainMessage(v any) {
	m, ok := v.(map[string]any)
	if !ok {
		return
	}
	rename(m, "role", "ROLE_")
	if content, ok := m["content"]; ok {
		m["parts"] = content
	}
	plainParts(m["parts"])
}

// rename writes a constant in capitals the way JSON-RPC does: input-required.
func rename(m map[string]any, key, prefix string) {
	text, _ := m[key].(string) // not a string: the reader refuses it
	if word, ok := strings.CutPrefix(text, prefix); ok {
		m[key] = strings.ReplaceAll(strings.ToLower(word), "_", "-")
	}
}

// plainParts unwraps the data and the files among parts.
func plainParts(v any) {
	parts, _ := v.([]any) // not a list: the reader refuses it
	for _, p := range parts {
		part, ok := p.(map[string]any)
		if !ok {
			continue
		}
		if inner, ok := member(part["data"], "data").(map[string]any); ok && part["kind"] == nil {
			part["data"] = inner
		}
		if file, ok := part["file"].(map[string]any); ok && file["fileWithUri"] != nil {
			file["uri"] = file["fileWithUri"]
		}
	}
}
