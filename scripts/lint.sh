#!/bin/bash
# Runs the linters. golangci-lint is taken from PATH when it is the pinned
# version, else built once into the user's cache, outside the tree.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
VERSION=2.15.0

golangci() {
    local dir=${XDG_CACHE_HOME:-$HOME/.cache}/procmon/golangci-lint-$VERSION
    if golangci-lint version 2>/dev/null | grep -qw "$VERSION"; then
        echo golangci-lint
        return
    fi
    if [ ! -x "$dir/golangci-lint" ]; then
        echo "procmon: building golangci-lint $VERSION into $dir: make lint runs it" >&2
        GOBIN=$dir GOFLAGS=-mod=mod "$GO" install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$VERSION" >&2 || return 1
    fi
    echo "$dir/golangci-lint"
}

echo "== gofmt"
unformatted=$(find . -name '*.go' -print0 | xargs -0 -r "$("$GO" env GOROOT)/bin/gofmt" -l)
[ -z "$unformatted" ] || { echo "not formatted (make fmt):"; echo "$unformatted"; exit 1; }

echo "== golangci-lint"
lint=$(golangci)
"$lint" run ./...

# Everything but the system calls builds on any system.
echo "== go vet for darwin"
GOOS=darwin CGO_ENABLED=0 "$GO" vet ./...

scripts/deps.sh shellcheck || true
if command -v shellcheck > /dev/null; then
    echo "== shellcheck"
    find scripts contrib .ci -type f \( -name '*.sh' -o -path .ci/run \) -print0 | xargs -0 -r shellcheck
else
    echo "== shellcheck is not to be had here: the shell scripts are not checked"
fi
