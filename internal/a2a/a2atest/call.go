package a2atest

import (
	"encoding/json"
	"mime"
	"net/http"
	"strings"
)

// The errors of JSON-RPC and of A2A that agents answer with.
const (
	InvalidRequest      = -32600
	MethodNotFound      = -32601
	InvalidParams       = -32602
	TaskNotFound        = -32001
	TaskNotCancelable   = -32002
	VersionNotSupported = -32009
)

// Call is one request that an [Act] answers.
type Call struct {
	Op        Op
	Face      Face
	MessageID string // of a send
	Text      string // of a send
	TaskID    string // of a get or a cancel

	agent *Agent
	w     http.ResponseWriter
	r     *http.Request
	id    json.RawMessage // of JSON-RPC
	wait  bool            // a send that did not ask to return at once
}

// methods are the methods of JSON-RPC by dialect.
func methods(version string) map[string]Op {
	if version == V1 {
		return map[string]Op{"SendMessage": Send, "GetTask": Get, "CancelTask": Cancel, "ListTasks": List}
	}
	return map[string]Op{"message/send": Send, "tasks/get": Get, "tasks/cancel": Cancel}
}

// read finds out what is asked. What it returns refuses a request that no agent
// would take.
func (c *Call) read(body []byte) Act {
	if _, ok := c.agent.card(c.r.URL.Path); ok && c.r.Method == http.MethodGet {
		c.Op = Card
		return nil
	}
	for _, f := range c.agent.faces {
		rest, ok := strings.CutPrefix(c.r.URL.Path, f.Path())
		switch {
		case !ok:
			continue
		case f.Binding == JSONRPC && rest == "":
			c.Face = f
			return c.readRPC(body)
		case f.Binding == REST:
			c.Face = f
			return c.readREST(strings.TrimPrefix(rest, f.prefix()), body)
		}
	}
	return Status(http.StatusNotFound, "")
}

// prefix is what 0.3 has in front of every path of HTTP+JSON.
func (f Face) prefix() string {
	if f.Version == V03 {
		return "/v1"
	}
	return ""
}

func (c *Call) readRPC(body []byte) Act {
	var q struct {
		JSONRPC string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Method  string          `json:"method"`
		Params  json.RawMessage `json:"params"`
	}
	if c.r.Method != http.MethodPost {
		return Status(http.StatusMethodNotAllowed, "")
	}
	if refusal := c.readHeader(); refusal != nil {
		return refusal
	}
	if json.Unmarshal(body, &q) != nil || q.JSONRPC != "2.0" || len(q.ID) == 0 {
		return RPCError(InvalidRequest, "not a request")
	}
	c.id = q.ID
	op, ok := methods(c.Face.Version)[q.Method]
	if !ok {
		return RPCError(MethodNotFound, "no method "+q.Method)
	}
	c.Op = op
	switch op {
	case Send:
		return c.readSend(q.Params)
	case List:
		return nil
	}
	var named struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(q.Params, &named) != nil || named.ID == "" {
		return RPCError(InvalidParams, "no task is named")
	}
	c.TaskID = named.ID
	return nil
}

// readREST reads a request below the path of a face.
func (c *Call) readREST(path string, body []byte) Act {
	if refusal := c.readHeader(); refusal != nil {
		return refusal
	}
	id, task := strings.CutPrefix(path, "/tasks/")
	id, cancel := strings.CutSuffix(id, ":cancel")
	switch {
	case c.r.Method == http.MethodPost && path == "/message:send":
		c.Op = Send
		return c.readSend(body)
	case c.r.Method == http.MethodGet && path == "/tasks" && c.Face.Version == V1:
		c.Op = List
	case c.r.Method == http.MethodPost && task && cancel:
		c.Op, c.TaskID = Cancel, id
	case c.r.Method == http.MethodGet && task && !cancel:
		c.Op, c.TaskID = Get, id
	default:
		return Status(http.StatusNotFound, "")
	}
	return nil
}

// readHeader refuses what is no JSON, and what does not say that it is 1.0 when
// the face is: without the header 0.3 is meant.
func (c *Call) readHeader() Act {
	if c.r.Method == http.MethodPost {
		if kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			return Status(http.StatusUnsupportedMediaType, "")
		}
	}
	if c.Face.Version == V1 && c.r.Header.Get("A2A-Version") != V1 {
		return RPCError(VersionNotSupported, "only 1.0 is spoken here")
	}
	return nil
}

// sent is what a send holds in either dialect.
type sent struct {
	Message struct {
		Kind      string `json:"kind"`
		MessageID string `json:"messageId"`
		Role      string `json:"role"`
		Parts     []part `json:"parts"`
		Content   []part `json:"content"`
	} `json:"message"`
	Configuration struct {
		Blocking          *bool `json:"blocking"`
		ReturnImmediately *bool `json:"returnImmediately"`
	} `json:"configuration"`
}

type part struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// as reports whether s is as f writes it: with a kind in each object, or else
// without, for what is a protocol buffer refuses members it does not know.
func (s sent) as(f Face) bool {
	role, message, text := "ROLE_USER", "", ""
	if f.named() {
		role, message, text = "user", "message", "text"
	}
	strange := s.Configuration.Blocking
	if f.Version == V03 {
		strange = s.Configuration.ReturnImmediately
	}
	return s.Message.Role == role && s.Message.Kind == message && s.parts(f)[0].Kind == text && strange == nil
}

// parts returns what s says, where f expects it.
func (s sent) parts(f Face) []part {
	if f.said() == "content" {
		return s.Message.Content
	}
	return s.Message.Parts
}

// waits reports whether s is to be answered when the work is done, which is
// what both dialects take silence for.
func (s sent) waits() bool {
	atOnce, blocking := s.Configuration.ReturnImmediately, s.Configuration.Blocking
	return (atOnce == nil || !*atOnce) && (blocking == nil || *blocking)
}

func (c *Call) readSend(params json.RawMessage) Act {
	var s sent
	if json.Unmarshal(params, &s) != nil || s.Message.MessageID == "" || len(s.parts(c.Face)) != 1 {
		return RPCError(InvalidParams, "no message")
	}
	if !s.as(c.Face) {
		return RPCError(InvalidParams, "that is a message of another dialect")
	}
	c.MessageID, c.Text, c.wait = s.Message.MessageID, s.parts(c.Face)[0].Text, s.waits()
	return nil
}

// Usual does what an agent does without a script.
func (c *Call) Usual() {
	switch c.Op {
	case Card:
		text, _ := c.agent.card(c.r.URL.Path) // it was there a moment ago
		c.write(http.StatusOK, []byte(text))
	case Send:
		Says("done")(c)
	case Get:
		c.get()
	case Cancel:
		c.cancel()
	case List: // few can
		c.refuse(MethodNotFound, "nothing is listed here")
	}
}

// answer writes the result of a send, get or cancel.
func (c *Call) answer(result []byte) {
	if c.Face.Binding == JSONRPC {
		result = encode(map[string]json.RawMessage{"jsonrpc": encode("2.0"), "id": c.id, "result": result})
	}
	c.write(http.StatusOK, result)
}

// kind names what a send answers where the object does not name itself; the
// other answers need no name.
func (c *Call) kind(kind string, v any) []byte {
	if c.Op == Send && !c.Face.named() {
		v = map[string]any{kind: v}
	}
	return encode(v)
}

// refuse writes an error.
func (c *Call) refuse(code int, message string) {
	if c.Face.Binding == JSONRPC {
		id := c.id
		if id == nil {
			id = encode(nil)
		}
		c.write(http.StatusOK, encode(map[string]any{
			"jsonrpc": "2.0", "id": id, "error": map[string]any{"code": code, "message": message},
		}))
		return
	}
	status := http.StatusBadRequest
	switch code {
	case TaskNotFound, MethodNotFound:
		status = http.StatusNotFound
	case TaskNotCancelable:
		status = http.StatusConflict
	}
	c.write(status, encode(map[string]any{
		"error": map[string]any{"code": status, "status": http.StatusText(status), "message": message},
	}))
}

func (c *Call) write(status int, body []byte) {
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // the client may have left, and the test knows why
}
