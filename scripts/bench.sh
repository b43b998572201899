#!/bin/bash
# Measures: Go benchmarks of every package, then, as root, the whole way from
# the kernel to the index.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

scripts/deps.sh gcc
"$GO" test -run '^$' -bench . -benchmem ./...
if [ -d internal/bench ]; then
    "$GO" run ./internal/bench
    "$GO" run ./internal/bench/readers
fi
