#!/bin/bash
# Measures: Go benchmarks of every package, then, as root, the whole way from
# the kernel to the index.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

scripts/deps.sh gcc
"$GO" test -run '^$' -bench . -benchmem ./...
mkdir -p bin
"$GO" build -o bin/ ./cmd/procmond
"$GO" run ./internal/bench -tools none,bpf,procconn -workloads true-16 -execs 20000 -rounds 1
"$GO" run ./internal/bench/readers
