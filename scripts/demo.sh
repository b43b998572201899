#!/bin/bash
# Shows the whole way once: builds, starts procmond on a temporary index, runs
# real programs as an unprivileged user inside a job of a private Slurm, prints
# the reports, and takes everything away again. Nothing stays but bin/ and
# packages that had to be installed. Must run as root.
set -euo pipefail
cd "$(dirname "$0")/.."
TREE=$PWD
export LC_ALL=C
export PATH=$PATH:/usr/sbin:/sbin

say() { echo "== $*"; }
die() { echo "demo: $*" >&2; exit 1; }

# Users must reach it, whatever TMPDIR is and wherever this tree lies.
make_dir() {
    WORK=$(mktemp -d /tmp/procmon-demo.XXXXXX)
    chmod 755 "$WORK"
    mkdir "$WORK/home" "$WORK/jobs"
    DEMO_USER=pmdemo$$
}

# Runs at the end, after an error and on Ctrl-C. Whatever was started is ended
# by its pid, and waited for.
clean_up() {
    local status=$?
    trap '' INT TERM HUP
    set +e
    say "cleaning up"
    [ ! -e "$WORK/slurm" ] || "$TREE/scripts/slurm-private.sh" down "$WORK/slurm"
    if [ -n "${DAEMON:-}" ]; then
        kill "$DAEMON" 2> /dev/null
        wait "$DAEMON"
    fi
    if id "$DEMO_USER" > /dev/null 2>&1; then
        userdel "$DEMO_USER" > /dev/null 2>&1 || echo "demo: can't remove the user $DEMO_USER" >&2
    fi
    [ "$status" = 0 ] || [ ! -s "$WORK/procmond.log" ] || { echo "demo: procmond said:" >&2; tail -n 20 "$WORK/procmond.log" >&2; }
    rm -rf "$WORK"
    exit "$status"
}

build() {
    say "building bin/procmond and bin/procmon-report"
    "${GO:-go}" build -o bin/ ./cmd/procmond ./cmd/procmon-report
}

# An environment without anything of the caller's.
as_user() {
    env -i PATH=/usr/bin:/bin HOME="$WORK/home" LC_ALL=C ${SLURM_CONF:+SLURM_CONF="$SLURM_CONF"} \
        setpriv --reuid "$DEMO_USER" --regid "$(id -g "$DEMO_USER")" --init-groups -- "$@"
}

procmond() {
    env -i PATH="$PATH" LC_ALL=C "$TREE/bin/procmond" "$@"
}

start_daemon() {
    local i
    say "starting procmond: index and JSON lines in $WORK"
    : > "$WORK/procmond.toml"
    # In a session of its own: Ctrl-C is for this script, which then stops it.
    env -i PATH="$PATH" LC_ALL=C setsid "$TREE/bin/procmond" run \
        --config "$WORK/procmond.toml" \
        --index-path "$WORK/procmon.db" \
        --syslog-address "file:$WORK/runs.jsonl" \
        --syslog-spool "$WORK/spool" \
        --jobs-dir "$WORK/jobs" \
        --control-socket "$WORK/procmond.sock" --bpf-pin off 2> "$WORK/procmond.log" &
    DAEMON=$!
    for ((i = 0; i < 100; i++)); do
        [ ! -S "$WORK/procmond.sock" ] || return 0
        kill -0 "$DAEMON" 2> /dev/null || die "procmond has ended"
        sleep 0.1
    done
    die "procmond is not ready after 10 s"
}

write_programs() {
    cat > "$WORK/home/pool.py" << 'P'
"""A pool of workers: they are forked and never exec, so they are one run."""
from multiprocessing import Pool

def work(n):
    return sum(i * i for i in range(n))

if __name__ == "__main__":
    with Pool(4) as pool:
        print("pool:", sum(pool.map(work, [2_000_000] * 8)))
P
    cat > "$WORK/home/pi.c" << 'P'
#include <stdio.h>
int main(void) {
    double sum = 0;
    for (int i = 0; i < 50000000; i++) sum += (i % 2 ? -4.0 : 4.0) / (2 * i + 1);
    printf("pi: %.6f\n", sum);
}
P
    cat > "$WORK/home/step.sh" << 'P'
#!/bin/sh
# what each task of the srun step runs
awk 'BEGIN { srand(1); for (i = 0; i < 200000; i++) print rand() }' | sort -g | tail -n 1
python3 -c 'import json; print("json:", len(json.dumps(list(range(300000)))))'
P
    cat > "$WORK/home/job.sh" << 'P'
#!/bin/sh
cd "$HOME" || exit 1
python3 pool.py
if command -v gcc > /dev/null; then
    gcc -O1 -o pi pi.c && ./pi
fi
if command -v bc > /dev/null; then
    echo 'scale=600; a(1)*4' | bc -l | tail -n 1
fi
if [ -n "$SLURM_JOB_ID" ]; then
    srun --ntasks=2 sh step.sh
else
    sh step.sh
fi
P
    chmod 755 "$WORK/home"/*
    chown -R "$DEMO_USER" "$WORK/home"
}

# Is a private Slurm to be had? Says why not.
start_slurm() {
    local status=0
    scripts/deps.sh slurm || status=$?
    if [ "$status" != 0 ]; then
        say "no Slurm package can be had here: the programs run OUTSIDE a job"
        return 1
    fi
    say "starting a private Slurm of one node"
    if ! PROCMON_JOBS_DIR="$WORK/jobs" scripts/slurm-private.sh up "$WORK/slurm" 1; then
        say "the private Slurm does not start here: the programs run OUTSIDE a job"
        return 1
    fi
    # shellcheck source=/dev/null
    . "$WORK/slurm/env"
    export SLURM_CONF
}

run_job() {
    local i state
    JOB=$(as_user sbatch --parsable --job-name=demo --ntasks=2 --output="$WORK/home/job.out" "$WORK/home/job.sh")
    say "$DEMO_USER runs these programs as Slurm job $JOB"
    for ((i = 0; i < 600; i++)); do
        state=$(scontrol show job -o "$JOB" | grep -o ' JobState=[A-Z_]*' || true)
        case $state in
        *COMPLETED) break ;;
        *FAILED | *CANCELLED | *TIMEOUT | *NODE_FAIL) cat "$WORK/home/job.out"; die "the job ended with$state" ;;
        esac
        sleep 0.1
    done
    case $state in *COMPLETED) ;; *) die "the job is not done after a minute:$state" ;; esac
    cat "$WORK/home/job.out"
}

run_outside() {
    say "$DEMO_USER runs these programs"
    as_user sh "$WORK/home/job.sh"
}

# The epilog marks the job ended; its summary is the last thing that is written.
wait_summary() {
    local i
    for ((i = 0; i < 100; i++)); do
        procmond flush --control-socket "$WORK/procmond.sock" > /dev/null
        grep -q '"dataset":"procmon.job"' "$WORK/runs.jsonl" 2> /dev/null && return 0
        sleep 0.1
    done
    die "no summary of the job after 10 s"
}

report() {
    echo
    echo "\$ procmon-report $*"
    "$TREE/bin/procmon-report" --index "$WORK/procmon.db" "$@"
}

# A JSON line of the pool, indented where Python is there.
one_line() {
    local line
    line=$(grep '"dataset":"procmon.run"' "$WORK/runs.jsonl" | grep -m 1 'pool\.py' || true)
    [ -n "$line" ] || die "no line of pool.py"
    echo
    echo "the JSON line of the Python pool (one run, its workers' CPU time included):"
    if command -v python3 > /dev/null; then
        python3 -c 'import json, sys; print(json.dumps(json.loads(sys.argv[1]), indent=1))' "$line"
    else
        echo "$line"
    fi
}

[ "$(id -u)" = 0 ] || die "must run as root: procmond listens to the kernel, and users are made and removed"
scripts/deps.sh gcc
status=0
scripts/deps.sh python3 || status=$?
[ "$status" != 1 ] || exit 1
build
make_dir
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
useradd --no-create-home --home-dir "$WORK/home" --shell /bin/sh --comment 'procmon demo' "$DEMO_USER"
write_programs
JOB=
start_daemon
if start_slurm; then
    run_job
    wait_summary
else
    run_outside
    procmond flush --control-socket "$WORK/procmond.sock"
fi
report --by-application
[ -z "$JOB" ] || report job "$JOB"
one_line
echo
