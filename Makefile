# Every target works on a machine that has Go, make and git.
GO      ?= go
BIN     := bin
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/molecule-ai/molecli/internal/molecule.version=$(VERSION)
BUILD   := CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)'
E2E     := internal/e2e/peers

.PHONY: all build demo test crash systemd oracle rotations simulate exhaustive bench bench-hand fuzz peers check lint vuln tidy clean

all: build

build: ## both binaries, into bin/
	$(BUILD) -o $(BIN)/molecli ./cmd/molecli
	$(BUILD) -o $(BIN)/moleculed ./cmd/moleculed

demo: build ## a daemon, an agent, a schedule, a crash and its recovery, in a scratch directory
	sh scripts/demo

test: ## everything, with the race detector, in random order
	$(GO) test -race -shuffle=on -timeout 15m ./...
	cd $(E2E) && $(GO) test -race -shuffle=on -parallel 16 -timeout 10m ./...

crash: ## kill -9 at 1,000 random points under 500 fires a second
	MOLECULE_CRASH_KILLS=1000 $(GO) test -count=1 -timeout 60m -run TestCrash -v ./internal/e2e

systemd: ## a real systemd: 20 hangs, 20 stopped processes, 50 restarts under load; needs root and systemd-container
	MOLECULE_SYSTEMD_ROUNDS=20 $(GO) test -count=1 -timeout 30m -run TestSystemd -v ./internal/e2e

oracle: ## the clock against a walk through real time: all zones, changes of 2000 to 2037, 1,000 expressions
	MOLECULE_ORACLE=all $(GO) test -count=1 -timeout 60m -run TestOracle -v ./internal/cron

exhaustive: ## each of the 2^32 addresses of IPv4 against a table of its own, and 100,000 hostile dials
	MOLECULE_EXHAUSTIVE=all $(GO) test -count=1 -timeout 20m -run "TestIPv4|TestHostile" -v ./internal/netguard

rotations: ## 1,000 rotations of two PostgreSQL roles under 16 clients that log in again and again
	MOLECULE_ROTATIONS=1000 $(GO) test -count=1 -timeout 3h -run TestRotations -v ./internal/vault/sink/postgres

simulate: ## years and accidents in virtual time on the real store: ten years, 10,000 schedules after a stop, a month of 1,000 agents
	MOLECULE_SIMULATE=all $(GO) test -count=1 -timeout 60m -run 'TenYears|LongStop|Simulation' -v ./internal/scheduler
	MOLECULE_SIMULATE=all $(GO) test -count=1 -timeout 3h -run Simulation -v ./internal/registry

bench: build ## every figure of docs/benchmarks.md, with the command beside it
	bash scripts/bench/run

bench-hand: build ## the part of it that whoever types feels
	bash scripts/bench/hand

fuzz: ## each fuzz target for a minute
	bash scripts/fuzz 60s

peers: ## the agents nobody here wrote: needs npm, for the tests against real peers
	cd $(E2E) && npm ci --no-audit --no-fund --silent
	cd $(E2E) && $(GO) build -o bin/a2a github.com/a2aproject/a2a-go/v2/cmd/a2a

check: ## format, vet, lint, import rules, tests
	test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(MAKE) lint test

lint: ## golangci-lint, at the version tools/go.mod names
	cd tools && $(GO) build -o ../$(BIN)/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	$(BIN)/golangci-lint run ./...

vuln: ## known vulnerabilities; says so when the database cannot be reached
	sh scripts/vuln

clean:
	rm -rf $(BIN) $(E2E)/bin $(E2E)/node_modules

.PHONY: crash-pairs
crash-pairs: ## strike every pair of points of every rotation
	MOLECULE_CRASH_PAIRS=1 go test -count=1 -timeout 60m -run TestCrash_pairs -v ./internal/vault/rotation
