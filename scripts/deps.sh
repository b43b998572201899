#!/bin/bash
# Installs what a make target needs and the machine lacks, with apt-get or dnf,
# and says what and why before it does.
#
#   deps.sh NAME…     gcc slurm rsyslog logrotate python3 chromium zsh fish shellcheck clang slurmdbd;
#                     "test" stands for the first eight; and the programs that make
#                     test-packages runs: gmx samtools bwa octave-cli R mpirun.openmpi java venv
#
# Exit status: 0 everything is there; 1 something that can't be done without
# (gcc) is missing; 3 only what can be done without is.
set -euo pipefail

exec 3>&1
say() { echo "procmon: $*" >&3; } # what a package manager prints goes to a log
have() { command -v "$1" > /dev/null 2>&1; }

# The daemons of Slurm lie in /usr/sbin, which users' PATH may lack.
PATH=$PATH:/usr/sbin:/sbin

missing() {
    case $1 in
    gcc) ! have gcc || ! has_headers ;;
    slurm) ! { have slurmd && have slurmctld && have srun && have munged; } ;;
    rsyslog) ! have rsyslogd ;;
    slurmdbd) ! { have slurmdbd && have sacct && have mariadbd && have mariadb-install-db; } ;;
    clang) ! have clang || ! have llvm-strip || [ ! -e /usr/include/bpf/bpf_helpers.h ] ;;
    venv) ! python3 -c 'import ensurepip' 2> /dev/null ;;
    *) ! have "$1" ;;
    esac
}

has_headers() { echo '#include <stdlib.h>' | gcc -E - > /dev/null 2>&1; }

why() {
    case $1 in
    gcc) echo "the SQLite library is C code" ;;
    slurm) echo "a private Slurm runs the jobs of the demo and the tests" ;;
    slurmdbd) echo "a test compares with what Slurm accounts" ;;
    rsyslog) echo "the tests send log lines through a real rsyslogd" ;;
    logrotate) echo "the tests rotate a log under load" ;;
    python3) echo "users' programs in the demo and the tests" ;;
    chromium) echo "the tests open the reports' pages in a browser" ;;
    zsh | fish) echo "the tests ask it what it completes" ;;
    shellcheck) echo "make lint checks the shell scripts" ;;
    clang) echo "the eBPF programs are made with it, and with libbpf's headers" ;;
    *) echo "its version is compared with the one that procmon names" ;;
    esac
}

packages() {
    case $MANAGER:$1 in
    apt-get:gcc) echo gcc libc6-dev ;;
    apt-get:slurm) echo slurm-wlm slurm-client munge ;;
    apt-get:slurmdbd) echo slurmdbd mariadb-server ;;
    dnf:slurmdbd) echo slurm-slurmdbd mariadb-server ;;
    apt-get:gmx | dnf:gmx) echo gromacs ;;
    apt-get:octave-cli | dnf:octave-cli) echo octave ;;
    apt-get:R) echo r-base-core ;;
    apt-get:mpirun.openmpi) echo openmpi-bin ;;
    apt-get:java) echo default-jre-headless ;;
    apt-get:venv) echo python3-venv ;;
    apt-get:clang) echo clang llvm libbpf-dev ;;
    dnf:clang) echo clang llvm libbpf-devel ;;
    dnf:gcc) echo gcc glibc-devel ;;
    dnf:shellcheck) echo ShellCheck ;;
    # From EPEL, which dnf_install turns on.
    dnf:slurm) echo slurm slurm-slurmd slurm-slurmctld munge ;;
    *) echo "$1" ;;
    esac
}

apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -q --no-install-recommends "$@" && return 0
    say "the package lists may be old or absent: running apt-get update, then once more"
    apt-get update -q && apt-get install -y -q --no-install-recommends "$@"
}

# Slurm's packages for RHEL and its kin come from EPEL, some of whose
# dependencies lie in CRB. Fedora has Slurm itself. Not tried on each of them.
dnf_install() {
    dnf install -y -q "$@" && return 0
    case " $* " in
    *" slurm"* | *" ShellCheck "*)
        say "not in the repositories in use: adding epel-release, and CRB where it is off"
        dnf install -y -q epel-release || return 1
        dnf config-manager --set-enabled crb 2>/dev/null || true
        dnf install -y -q "$@"
        ;;
    *) return 1 ;;
    esac
}

install_one() {
    local list
    read -r -a list <<< "$(packages "$1")"
    say "installing ${list[*]} with $MANAGER: $(why "$1")"
    case $MANAGER in
    apt-get) apt_install "${list[@]}" ;;
    dnf) dnf_install "${list[@]}" ;;
    esac > "$LOG" 2>&1 && ! missing "$1" && return 0
    say "that did not work; the last lines were:"
    tail -n 5 "$LOG" | sed 's/^/    /'
    return 1
}

cant() {
    if [ "$1" = gcc ]; then
        say "gcc is missing ($(why gcc)): $2"
        STATUS=1
    else
        say "$1 is missing ($(why "$1")): $2; going on without"
        [ "$STATUS" = 1 ] || STATUS=3
    fi
}

check_go() {
    have "${GO:-go}" || {
        say "Go is missing: install Go 1.26 or later, and put it into PATH or call make with GO=/path/to/go"
        exit 1
    }
}

MANAGER=
if have apt-get; then MANAGER=apt-get; elif have dnf; then MANAGER=dnf; fi
STATUS=0
LOG=$(mktemp)
trap 'rm -f "$LOG"' EXIT

[ "${1:-}" = test ] && set -- gcc slurm rsyslog logrotate python3 chromium zsh fish
check_go
for name in "$@"; do
    missing "$name" || continue
    if [ "$(id -u)" != 0 ]; then
        cant "$name" "only root can install it"
    elif [ -z "$MANAGER" ]; then
        cant "$name" "this machine has neither apt-get nor dnf"
    elif ! install_one "$name"; then
        cant "$name" "no package could be installed"
    fi
done
exit "$STATUS"
