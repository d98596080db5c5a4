package molecule

import "testing"

func TestMayActFor_anAgentActsForItselfOnly(t *testing.T) {
	t.Parallel()
	agent := Principal{AgentID: "a", Scopes: []Scope{ScopeAgentSelf}}
	tests := []struct {
		name string
		who  Principal
		want bool
	}{
		{"the agent", agent, true},
		{"another agent", Principal{AgentID: "b", Scopes: []Scope{ScopeAgentSelf}}, false},
		{"another agent that somebody gave more", Principal{AgentID: "b", Scopes: []Scope{ScopeAgentSelf, ScopeAdmin}}, false},
		{"a token of the agent without the scope", Principal{AgentID: "a", Scopes: []Scope{ScopeAgentEnrol}}, false},
		{"an operator", Principal{Scopes: OperateScopes()}, true},
		{"an administrator", Principal{Scopes: []Scope{ScopeAdmin}}, true},
		{"an operator who may only read", Principal{Scopes: []Scope{ScopeAgentsRead}}, false},
		{"nobody", Principal{}, false},
	}
	for _, tt := range tests {
		if got := tt.who.MayActFor("a", ScopeAgentsWrite); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
