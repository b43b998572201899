#!/bin/bash
# Runs every fuzz test of the tree for FUZZTIME each. An input that fails is
# kept below the package's testdata/fuzz and fails "make test" from then on.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

for package in $("$GO" list ./...); do
    for name in $("$GO" test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
        echo "== $package $name"
        "$GO" test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-20s}" "$package"
    done
done
