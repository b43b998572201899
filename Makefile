# make demo and make test need root, and install what they lack; see "make help".

GO ?= go
PREFIX ?= /usr
DESTDIR ?=
FUZZTIME ?= 20s
BENCHFLAGS ?=
PROGRAMS = procmond procmon-report

export GO PREFIX DESTDIR FUZZTIME

.PHONY: generate help build demo test test-slurmdbd test-packages lint fmt man bench bench-capture bench-index fuzz install uninstall

help: ## this text
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16
	@echo
	@echo 'Variables: GO, PREFIX (/usr), DESTDIR, FUZZTIME (20s a fuzz test), BENCHFLAGS (of bench-capture and bench-index).'

build: ## bin/procmond and bin/procmon-report
	@scripts/deps.sh gcc
	$(GO) build -o bin/ $(PROGRAMS:%=./cmd/%)

demo: ## run real programs in a real Slurm job and show the reports (root)
	@scripts/demo.sh

test: ## unit tests, fuzz corpora and, as root, tests with real daemons
	@scripts/test.sh

test-slurmdbd: ## jobs, steps and CPU time against Slurm's own accounting (root)
	@scripts/test-slurmdbd.sh

test-packages: ## versions of real programs against what they print (root, Debian, 700 MB)
	@scripts/test-packages.sh

man: ## bin/*.8, the manual pages, as the programs print them
	@for p in $(PROGRAMS); do [ -x bin/$$p ] || $(MAKE) --no-print-directory build; bin/$$p man > bin/$$p.8; done

lint: ## golangci-lint, go vet for another system, shellcheck
	@scripts/lint.sh

generate: ## the eBPF object, after a change of collector/bpf/program
	@scripts/deps.sh clang
	$(GO) generate ./collector/bpf

fmt: ## format the Go code
	$$($(GO) env GOROOT)/bin/gofmt -l -w .

bench: ## what capture and storage cost on this machine (root)
	@scripts/bench.sh

bench-capture: ## procmond beside auditd, bpftrace and others (root, half an hour)
	@scripts/bench-capture.sh $(BENCHFLAGS)

bench-index: ## an index of ten million runs, and reports on it (1.6 GB in TMPDIR, ten minutes)
	@scripts/deps.sh gcc
	$(GO) run ./internal/benchindex $(BENCHFLAGS)

fuzz: ## every fuzz test for FUZZTIME
	@scripts/fuzz.sh

# Not "install: build": make install as root after make build as a user must
# not run the compiler again.
install: ## put everything in place below DESTDIR and PREFIX
	@for p in $(PROGRAMS); do [ -x bin/$$p ] || { $(MAKE) --no-print-directory build; break; }; done
	@scripts/install.sh install

uninstall: ## take away what install put; data and configuration stay
	@scripts/install.sh uninstall
