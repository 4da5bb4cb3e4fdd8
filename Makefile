# Everything a developer or a CI machine does with this repository. `make` lists the targets.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# One target after another: each of the big builds uses every core by itself, and together they thrash.
.NOTPARALLEL:
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
VERSION_VARIABLE := main.version
DATA_DIR ?= .data
BENCH_FLAGS ?=
RUN_FLAGS ?=
TEST_FLAGS ?=

BIN := bin
TOOLS := $(BIN)/tools
DEV := cmd/bulkhead-dev
LOAD := test/load
MODULES := . $(DEV) $(LOAD) tools tools/lint tools/mutation
API_LINT := tools/api-lint
API_PROXY := tools/api-proxy
TYPESCRIPT := sdk/examples/typescript
SQL_LINT := tools/sql-lint

# The files of `make generate`, each committed beside its source. `make verify` compares exactly these.
API_SERVER := adapters/httpapi/internal/gen/api.gen.go
API_CLIENT := sdk/client.gen.go
GENERATED := adapters/postgres/internal/dbsqlc $(API_SERVER) $(API_CLIENT) wire/wire_gen.go

# The tests start the programs that `make build` made.
export BULKHEAD_BIN_DIR := $(abspath $(BIN))

##@ Everyday

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z][a-z/-]*:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: build
build: $(BIN)/bulkhead $(BIN)/bulkhead-example-worker $(BIN)/bulkhead-dev ## Build the programs into bin/

.PHONY: run
run: build ## Start the whole stack: API, worker, Postgres, Temporal (DATA_DIR=.data, RUN_FLAGS=)
	@exec $(BIN)/bulkhead-dev run --data-dir "$(DATA_DIR)" $(RUN_FLAGS)

.PHONY: test
test: deps build ## Run every test, with the race detector (TEST_FLAGS=)
	go test -race -timeout 20m $(TEST_FLAGS) ./...
	go test -C $(DEV) -timeout 20m $(TEST_FLAGS) ./...
	go test -C $(LOAD) $(TEST_FLAGS) ./...

# Without the race detector, which has seen the same code in `make test`: the attacks are many, and each fault is a build.
.PHONY: test/isolation
test/isolation: deps build ## Attack every operation as another tenant would, also without row-level security, and find every planted fault
	go test -count=1 -timeout 25m -run TestPoolFuzz ./adapters/postgres -fuzz-transactions 1000000
	go test -count=1 -timeout 30m $(TEST_FLAGS) ./test/isolation -v -report $(abspath $(BIN))/isolation.txt >$(BIN)/isolation.log 2>&1 || { cat $(BIN)/isolation.log; exit 1; }
	@grep -E '^ +(--- |[a-z_]+_test.go:[0-9]+: (found in|[0-9]+ attacks))' $(BIN)/isolation.log
	@cat $(BIN)/isolation.txt

.PHONY: test/revocation
test/revocation: deps build ## Revoke 10,000 keys on three nodes whose connections are cut, and measure for how long they still work
	REVOCATION_REPORT=$(abspath $(BIN))/revocation.txt go test -count=1 -timeout 30m $(TEST_FLAGS) ./test/revocation -v -revocations 10000 -cuts 200 \
		>$(BIN)/revocation.log 2>&1 || { cat $(BIN)/revocation.log; exit 1; }
	@cat $(BIN)/revocation.txt

.PHONY: test/contract
test/contract: deps build $(API_PROXY)/node_modules/.package-lock.json ## Run test/e2e through Prism, which holds every answer against the document
	BULKHEAD_TEST_PRISM=$(abspath $(API_PROXY))/node_modules/.bin/prism go test -count=1 -timeout 30m $(TEST_FLAGS) ./test/e2e

# Not in `make test`: what Temporal's SDK for TypeScript installs from npm is 300 MB.
.PHONY: test/typescript
test/typescript: deps build $(TYPESCRIPT)/node_modules/.package-lock.json ## Build the worker in TypeScript, test it, and run it on the real product (TEST_FLAGS=-outlive)
	npm --prefix $(TYPESCRIPT) run --silent build
	npm --prefix $(TYPESCRIPT) test
	go test -tags typescript -count=1 -timeout 20m ./test/typescript $(TEST_FLAGS)

# A module of its own: what Bulkhead is compared with never enters the product's go.mod.
.PHONY: bench
bench: deps build ## Measure what Bulkhead costs beside what the same costs without it (BENCH_FLAGS="-rows EXPRESSION -short")
	@go build -C $(LOAD) -buildvcs=false -o $(abspath $(BIN))/bulkhead-bench ./cmd/bench
	@exec $(BIN)/bulkhead-bench $(BENCH_FLAGS)

.PHONY: lint
lint: $(TOOLS)/golangci-lint $(TOOLS)/workflowcheck lint-api lint-sql ## Check style, formatting and the import rule, in each module, the API document and the migrations
	go vet ./...
	$(TOOLS)/golangci-lint run ./...
	cd $(DEV) && $(abspath $(TOOLS))/golangci-lint run ./...
	cd $(LOAD) && $(abspath $(TOOLS))/golangci-lint run ./...
	$(TOOLS)/workflowcheck ./adapters/temporal/workflows/...

.PHONY: lint-api
lint-api: $(API_LINT)/node_modules/.package-lock.json ## Check api/openapi.yaml by the rules of OWASP, Spectral and Redocly
	cd $(API_LINT) && node_modules/.bin/spectral lint --ruleset spectral.yaml --fail-severity=warn ../../api/openapi.yaml
	cd $(API_LINT) && REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true \
		node_modules/.bin/redocly lint --config redocly.yaml ../../api/openapi.yaml

.PHONY: lint-sql
lint-sql: $(SQL_LINT)/node_modules/.package-lock.json ## Check the migrations for statements that destroy or block, by the rules of squawk
	scripts/lint-sql.sh $(SQL_LINT)/node_modules/.bin/squawk $(SQL_LINT)/squawk.toml sql/migrations/*.sql

# Which mutants gremlins makes beside those it makes by itself, and the share of them that the tests must kill.
MUTANTS := --invert-logical --invert-bitwise --invert-bwassign --invert-assignments --invert-loopctrl --remove-self-assignments
MUTATED ?= core/authz core/apikey core/org

.PHONY: mutation
mutation: $(TOOLS)/gremlins ## Change the rules of tenancy, keys and rights a little, and see that tests fail (MUTATED=)
	for package in $(MUTATED); do \
		$(TOOLS)/gremlins unleash "./$$package" $(MUTANTS) --timeout-coefficient 10 --threshold-efficacy 85; \
	done

.PHONY: fmt
fmt: $(TOOLS)/golangci-lint ## Format all Go code
	$(TOOLS)/golangci-lint fmt

##@ Generated code

.PHONY: generate
generate: $(TOOLS)/sqlc $(TOOLS)/oapi-codegen $(TOOLS)/wire ## Generate code from sql/, api/ and wire/
	$(TOOLS)/sqlc generate
	mkdir -p $(dir $(API_SERVER) $(API_CLIENT))
	$(TOOLS)/oapi-codegen -config api/server.cfg.yaml -o $(API_SERVER) api/openapi.yaml
	$(TOOLS)/oapi-codegen -config api/client.cfg.yaml -o $(API_CLIENT) api/openapi.yaml
	$(TOOLS)/wire gen ./wire

.PHONY: verify
verify: $(TOOLS)/sqlc $(TOOLS)/oapi-codegen $(TOOLS)/wire ## Check that generated code and go.mod files are up to date
	scripts/verify-generated.sh $(GENERATED)
	for module in $(MODULES); do go mod -C "$$module" tidy -diff; done

##@ Housekeeping

.PHONY: deps
deps: ## Check what the tests need; install it where we may (root on Debian)
	@scripts/deps.sh

.PHONY: clean
clean: ## Remove bin/; the data of `make run` stays
	rm -rf $(BIN)

# --- Programs -------------------------------------------------------------------------------------------------
# Go's build cache knows best what is stale, so these rules always run. -buildvcs=false because the version is
# given by name, and because a checkout of another user must build too.

.PHONY: $(BIN)/bulkhead $(BIN)/bulkhead-example-worker
$(BIN)/bulkhead:
	go build -trimpath -buildvcs=false -ldflags '-s -w -X $(VERSION_VARIABLE)=$(VERSION)' -o $@ ./cmd/bulkhead

$(BIN)/bulkhead-example-worker:
	go build -trimpath -buildvcs=false -ldflags '-s -w' -o $@ ./sdk/examples/worker

# The exception: this one holds Temporal's server, and even an unchanged one takes half a minute to link. It is
# built without -trimpath, as it is never released: lint and test then share what has been compiled, minutes of it.
$(BIN)/bulkhead-dev: $(shell find $(DEV) -name '*.go' -o -name go.mod -o -name go.sum)
	@echo "Building bulkhead-dev, with Temporal's server in it: the first time this takes some minutes."
	go build -C $(DEV) -buildvcs=false -ldflags '-s -w' -o $(abspath $@) .

# --- Tools ----------------------------------------------------------------------------------------------------
# Their versions are pinned by two modules of their own: what a tool needs never decides what the product gets,
# nor what golangci-lint needs what a generator gets. Built once, until a go.mod changes. Without cgo they need no C
# compiler: sqlc then uses the WebAssembly build of Postgres' parser.

tool = CGO_ENABLED=0 go build -C $(1) -buildvcs=false -ldflags '-s -w' -o $(abspath $@) $(2)

$(TOOLS)/sqlc: tools/go.mod tools/go.sum
	$(call tool,tools,github.com/sqlc-dev/sqlc/cmd/sqlc)

$(TOOLS)/oapi-codegen: tools/go.mod tools/go.sum
	$(call tool,tools,github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen)

$(TOOLS)/wire: tools/go.mod tools/go.sum
	$(call tool,tools,github.com/google/wire/cmd/wire)

$(TOOLS)/workflowcheck: tools/go.mod tools/go.sum
	$(call tool,tools,go.temporal.io/sdk/contrib/tools/workflowcheck)

# The linters of the API document and of the migrations, and what the example in TypeScript needs, are npm packages,
# pinned by lock files that name no registry.
$(API_LINT)/node_modules/.package-lock.json $(SQL_LINT)/node_modules/.package-lock.json $(API_PROXY)/node_modules/.package-lock.json \
$(TYPESCRIPT)/node_modules/.package-lock.json: \
%/node_modules/.package-lock.json: %/package.json %/package-lock.json %/.npmrc
	npm ci --prefix $* --no-progress --loglevel=error
	touch $@

$(TOOLS)/golangci-lint: tools/lint/go.mod tools/lint/go.sum
	$(call tool,tools/lint,github.com/golangci/golangci-lint/v2/cmd/golangci-lint)

$(TOOLS)/gremlins: tools/mutation/go.mod tools/mutation/go.sum
	$(call tool,tools/mutation,github.com/go-gremlins/gremlins/cmd/gremlins)
