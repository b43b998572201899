#!/bin/bash
# Runs every test: first those that need nothing but Go and gcc, fuzz corpora
# included, then those with real daemons, which need root and skip without.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

status=0
scripts/deps.sh test || status=$?
[ "$status" != 1 ] || exit 1

# The race detector where goroutines work together; elsewhere it only costs.
racy=$("$GO" list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./collector/... ./jobmap/... ./appmap/... ./index/...)

echo "== unit tests"
"$GO" test -timeout 10m -skip '^TestIntegration' ./...
echo "== unit tests with the race detector"
# shellcheck disable=SC2086
[ -z "$racy" ] || "$GO" test -race -timeout 10m -skip '^TestIntegration' $racy

# One package at a time: these start daemons and count what a machine does.
echo "== tests with real daemons"
if [ "$(id -u)" != 0 ]; then
    echo "not root: most of them skip, with the reason in go test -v"
fi
"$GO" test -count=1 -p 1 -timeout 12m -run '^TestIntegration' ./...
