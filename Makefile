# acklab: a laboratory for asynchronous job processing. "make" lists the targets.

SHELL := bash
# Where the instructions of go.dev/dl put it, if it is not on the PATH yet.
export PATH := $(PATH):/usr/local/go/bin

# A build in a checkout that git refuses to read (another owner, no git) does
# not fail over the version stamp; it has none.
BUILDVCS = $(shell git rev-parse HEAD >/dev/null 2>&1 && echo auto || echo false)

# For one test: make test TESTFLAGS='-run TestConformance' PACKAGES=./broker/redisbroker
# The two that take longest begin: they mostly wait.
PACKAGES ?= ./experiments ./broker/rabbitbroker ./...
TESTFLAGS ?=

.PHONY: help
help:
	@echo 'make lab    install what is missing, build, run the quick suite of experiments'
	@echo 'make test   install what is missing, lint, run every test with the race detector'
	@echo 'make lint   gofmt, go vet, staticcheck'
	@echo 'make bench  the benchmarks that compare acklab with the client libraries alone, and with Celery'
	@echo 'make build  bin/acklab'
	@echo 'make docs   write what is generated anew: docs/experiments.md, the tables of README.md'
	@echo 'make clean  remove bin/ (reports in runs/ stay)'

# bin/acklab run ends with 0 (all as predicted), 1 (a surprise), 2 (unsure) or 3
# (something was not run for a missing tool). make itself knows 0 and 2 only and
# names the status in its last line: "Error 3".
.PHONY: lab
lab: toolchain
	@deploy/install.sh lab
	@$(MAKE) --no-print-directory build
	@echo 'running: bin/acklab run quick'
	@bin/acklab run quick

.PHONY: test
test: toolchain
	@deploy/install.sh test
	@$(MAKE) --no-print-directory lint
	@echo 'go test -race $(PACKAGES) (a package is one line when it is done)'
	@set -o pipefail; go test -json -race -vet=off -timeout 20m $(TESTFLAGS) $(PACKAGES) | go run ./deploy/testsummary

.PHONY: lint
lint: toolchain
	@echo gofmt
	@files=$$("$$(go env GOROOT)/bin/gofmt" -l .) || exit; if [ -n "$$files" ]; then echo "not formatted, run gofmt -w on:"; echo "$$files"; exit 1; fi
	@echo 'go vet (the first time on a machine this compiles everything: some minutes)'
	@go vet $(PACKAGES)
	@echo staticcheck
	@go tool staticcheck $(PACKAGES)

# Ratios, not times: the bare client library (on Redis also redis-benchmark, a
# bare loop and Celery) and acklab do the same work in turns, 15 rounds, and
# acklab's throughput is given as a part of the other's. Two tables have times: how
# soon a consumer on an idle queue has what is pushed, beside a loop of BRPOP, and
# what the scheduler may be late and idling may cost, for nobody is beside it.
.PHONY: bench
bench: toolchain
	@deploy/install.sh lab
	@echo 'brokers, result stores and the scheduler, 15 rounds each: about six minutes'
	@go test -run '^$$' -bench 'Ratio|Schedules' -benchtime 15x ./bench

# go build says nothing while it compiles, so its list of packages is counted.
.PHONY: build
build: toolchain
	@echo 'building bin/acklab (the first time on a machine: a minute or two)'
	@set -o pipefail; go build -v -buildvcs=$(BUILDVCS) -o bin/acklab ./cmd/acklab 2>&1 | { n=0; while IFS= read -r line; do \
		if [[ $$line =~ ^[A-Za-z0-9_./~-]+$$ ]]; then n=$$((n+1)); if ((n % 40 == 0)); then echo "  $$n packages compiled"; fi; else echo "$$line"; fi; done; }

# A reference run is made with: bin/acklab reference RUN docs/reference-run
.PHONY: docs
docs: build
	@bin/acklab list --markdown > docs/experiments.md.new && mv docs/experiments.md.new docs/experiments.md
	@bin/acklab list --settings > docs/settings.md.new && mv docs/settings.md.new docs/settings.md
	@bin/acklab readme README.md docs/reference-run

.PHONY: clean
clean:
	@rm -rf bin

.PHONY: toolchain
toolchain:
	@deploy/check-go.sh
