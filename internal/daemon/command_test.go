package daemon

import (
	"bytes"
	"strings"
	"testing"

	"github.com/molecule-ai/molecli/internal/wire"
)

func TestMain_saysWhatWasMeant(t *testing.T) {
	t.Parallel()
	tests := []struct{ args, says, hint string }{
		{"serv", `unknown command "serv"`, "did you mean moleculed serve?"},
		{"help chek-config", `unknown command "chek-config"`, "did you mean moleculed check-config?"},
		{"serve --data-dri d", `unknown flag --data-dri for "moleculed serve"`, "did you mean --data-dir?"},
		{"check-config --shwo", `unknown flag --shwo`, "did you mean --show?"},
		{"check-config -x", `unknown flag -x`, "moleculed check-config --help"},
		{"check-config --config", "flag needs an argument", "moleculed check-config --help"},
		{"check-config it", `unexpected argument "it"`, "moleculed --help"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			var out, said bytes.Buffer
			status := Main(t.Context(), strings.Fields(tt.args), &out, &said)
			if status != wire.ExitUsage || out.Len() > 0 || !strings.Contains(said.String(), tt.says) || !strings.HasSuffix(said.String(), "try: "+tt.hint+"\n") {
				t.Errorf("got %d, %q; want %q and %q", status, said.String(), tt.says, tt.hint)
			}
		})
	}
}
