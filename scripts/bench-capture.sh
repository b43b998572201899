#!/bin/bash
# Measures procmond with each of its sources and the other tools that are
# installed, side by side (root). It installs nothing; what is missing it names.
#
#   bench-capture.sh [FLAG…]     flags of internal/bench; "-help" lists them
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

lacks() { # NAME PROGRAM HOW
    command -v "$2" > /dev/null && return
    echo "procmon: $1 is not installed and is left out; to have it: $3" >&2
}

if command -v dnf > /dev/null; then get="dnf install"; else get="apt-get install"; fi
if [ "$get" = "dnf install" ]; then audit=audit; else audit=auditd; fi
lacks auditd auditd "$get $audit"
lacks go-audit go-audit "build https://github.com/slackhq/go-audit and put it into PATH"
lacks bpftrace bpftrace "$get bpftrace"
lacks forkstat forkstat "$get forkstat"
lacks rsyslogd rsyslogd "$get rsyslog (until then procmond's lines go to a file)"

command -v gcc > /dev/null || { echo "procmon: gcc is missing (the SQLite library is C code): $get gcc" >&2; exit 1; }
mkdir -p bin
"$GO" build -o bin/ ./cmd/procmond
exec "$GO" run ./internal/bench "$@"
