#!/bin/bash
# A private Slurm on this machine, for the demo and the tests: munged, slurmctld
# and NODES slurmd below one directory, with ports and names of their own, so
# that several can run at once and a Slurm that the machine has is not touched.
#
#   slurm-private.sh up DIR [NODES]   start; DIR must not exist or be empty
#   slurm-private.sh down DIR         stop, remove its cgroups and DIR
#
# Run as root. After "up", DIR/env holds SLURM_CONF and what else a caller needs
# to know, as shell assignments. Settings, from the environment:
#
#   PROCMON_JOBS_DIR        where prolog and epilog write (default DIR/jobs)
#   SLURM_PRIVATE_CGROUP    v1, v2 or none instead of what the machine has
#   SLURM_PRIVATE_HOOKS     directory of prolog.sh and epilog.sh
#                           (default contrib/slurm of this tree)
#   SLURM_PRIVATE_ACCOUNTING  anything: with slurmdbd and a MariaDB, for sacct
set -euo pipefail

SELF=$(cd "$(dirname "$0")" && pwd)
MARK=.procmon-private-slurm
ACCOUNTING=${SLURM_PRIVATE_ACCOUNTING:-}

die() { echo "slurm-private: $*" >&2; exit 1; }

# start_time PID: field 22 of /proc/PID/stat, which with the pid names a process
# beyond doubt. comm may hold anything, so count from its last parenthesis.
start_time() {
    local stat
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    [ "$1" != Z ] && echo "${20}"
}

# remember NAME PID
remember() { echo "$2 $(start_time "$2" || echo 0)" > "$DIR/run/$1.id"; }

# running FILE: is the process that remember wrote into FILE still there?
running() {
    local pid start
    read -r pid start < "$1" || return 1
    [ "$(start_time "$pid")" = "$start" ]
}

# end_process FILE: TERM, wait, KILL, wait.
end_process() {
    local pid _ i
    read -r pid _ < "$1" || return 0
    for signal in TERM KILL; do
        running "$1" || return 0
        kill -s "$signal" "$pid" 2>/dev/null || true
        for ((i = 0; i < 100; i++)); do
            running "$1" || return 0
            sleep 0.1
        done
    done
    die "process $pid ($1) does not end"
}

# A port below the ephemeral range on which nobody listens.
free_port() {
    local port
    while :; do
        port=$((10240 + RANDOM % 20000))
        [[ " ${PORTS:-} " == *" $port "* ]] && continue
        grep -qi "^ *[0-9]*: [0-9A-F]*:$(printf %04X "$port") " /proc/net/tcp /proc/net/tcp6 2>/dev/null && continue
        PORTS="${PORTS:-} $port"
        PORT=$port
        return
    done
}

# What the machine's cgroups and its Slurm allow. A hybrid host has cgroup v2
# below .../unified only, and Slurm uses v1 there. Slurm before 22.05 has no v2.
cgroup_version() {
    local plugin
    if [ -n "${SLURM_PRIVATE_CGROUP:-}" ]; then
        echo "$SLURM_PRIVATE_CGROUP"
        return
    fi
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        for plugin in /usr/lib*/slurm*/cgroup_v2.so /usr/lib/*/slurm*/cgroup_v2.so; do
            [ -e "$plugin" ] && [ -w /sys/fs/cgroup/cgroup.procs ] && { echo v2; return; }
        done
    elif [ -d /sys/fs/cgroup/freezer ] && [ -w /sys/fs/cgroup/freezer/cgroup.procs ]; then
        echo v1
        return
    fi
    echo none
}

write_cgroup_conf() {
    case $1 in
    v1)
        cat <<C
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
ConstrainRAMSpace=yes
ConstrainDevices=yes
C
        ;;
    v2)
        # IgnoreSystemd: the scopes are made with mkdir, so that nothing of
        # ours stays behind in systemd. Nothing is constrained: that needs
        # controllers which the machine may not have turned on for the slice,
        # and turning them on would change the machine.
        cat <<C
CgroupPlugin=cgroup/v2
IgnoreSystemd=yes
C
        ;;
    esac
    return 0
}

# The first node of a slurmd that can't run twice on a machine must have the
# machine's own name.
node_names() {
    local i
    if slurmd -h 2>&1 | grep -q -e '-N node'; then
        for ((i = 1; i <= $1; i++)); do echo "pm$2n$i"; done
    else
        [ "$1" = 1 ] || echo "slurm-private: this slurmd was built to run once on a machine: 1 node instead of $1" >&2
        hostname -s
    fi
}

# cred_expire: a requeued job waits this long, 2 minutes otherwise.
write_slurm_conf() {
    local proctrack task gather node
    case $CGROUP in
    none) proctrack=pgid task=none gather=linux ;;
    v2) proctrack=cgroup task=cgroup gather=linux ;;
    *) proctrack=cgroup task=cgroup gather=cgroup ;;
    esac
    cat <<C
ClusterName=$CLUSTER
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmctldPort=$CTLD_PORT
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$DIR/munge/socket,cred_expire=10
CredType=cred/munge
StateSaveLocation=$DIR/state
SlurmdSpoolDir=$DIR/spool/%n
SlurmctldPidFile=$DIR/run/slurmctld.pid
SlurmdPidFile=$DIR/run/slurmd.%n.pid
SlurmctldLogFile=$DIR/log/slurmctld.log
SlurmdLogFile=$DIR/log/slurmd.%n.log
ProctrackType=proctrack/$proctrack
TaskPlugin=task/$task
JobAcctGatherType=jobacct_gather/$gather
PrologFlags=Alloc,Contain
Prolog=$DIR/hooks/prolog
Epilog=$DIR/hooks/epilog
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=500
ReturnToService=2
LaunchParameters=use_interactive_step
KillWait=5
MinJobAge=600
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
$(accounting_conf)
JobCompType=jobcomp/filetxt
JobCompLoc=$DIR/log/jobcomp.txt
SlurmdParameters=config_overrides
MailProg=/bin/true
C
    # More CPUs than the machine may have: jobs of several users run side by
    # side. Nothing is bound to them.
    for node in $NODES; do
        free_port
        echo "NodeName=$node NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=$PORT CPUs=4 RealMemory=4000"
    done
    echo "PartitionName=debug Nodes=${NODES// /,} Default=YES MaxTime=60 State=UP"
}

# What slurm.conf says of accounting; slurm-private-dbd.sh has a better answer.
accounting_conf() { echo AccountingStorageType=accounting_storage/none; }

# Slurm runs hooks with an environment of its own, so a wrapper sets ours.
write_hooks() {
    local hook
    for hook in prolog epilog; do
        cp "$HOOKS/$hook.sh" "$DIR/hooks/$hook.sh"
        printf '#!/bin/sh\nPROCMON_JOBS_DIR="%s" exec /bin/sh "%s"\n' "$JOBS_DIR" "$DIR/hooks/$hook.sh" > "$DIR/hooks/$hook"
    done
    chmod 755 "$DIR"/hooks/*
}

start_daemons() {
    local node
    # Slurm makes its scope in this slice, but not the slice.
    if [ "$CGROUP" = v2 ] && [ ! -d /sys/fs/cgroup/system.slice ]; then
        mkdir /sys/fs/cgroup/system.slice
        echo "SLURM_PRIVATE_SLICE=/sys/fs/cgroup/system.slice" >> "$DIR/env"
    fi
    export SLURM_CONF=$DIR/etc/slurm.conf
    setsid slurmctld -D -c > "$DIR/log/slurmctld.out" 2>&1 < /dev/null &
    remember slurmctld $!
    for node in $NODES; do
        mkdir -p "$DIR/spool/$node"
        setsid slurmd -D -N "$node" > "$DIR/log/slurmd.$node.out" 2>&1 < /dev/null &
        remember "slurmd.$node" $!
    done
}

start_munge() {
    # bs=1024 count=1 from urandom never reads short.
    dd if=/dev/urandom of="$DIR/munge/key" bs=1024 count=1 2>/dev/null
    chmod 400 "$DIR/munge/key"
    setsid munged --force --foreground --key-file="$DIR/munge/key" --socket="$DIR/munge/socket" \
        --pid-file="$DIR/munge/pid" --log-file="$DIR/munge/log" --seed-file="$DIR/munge/seed" \
        > "$DIR/log/munged.out" 2>&1 < /dev/null &
    remember munged $!
}

# wait_ready: every node idle, or a daemon that ended.
wait_ready() {
    local want f i
    want=$(wc -w <<< "$NODES")
    for ((i = 0; i < 300; i++)); do
        [ "$(SLURM_CONF=$DIR/etc/slurm.conf timeout 5 sinfo -h -N -t idle -o %N 2>/dev/null | wc -l)" = "$want" ] && return 0
        for f in "$DIR"/run/*.id; do
            running "$f" || { echo "slurm-private: $(basename "$f" .id) has ended" >&2; return 1; }
        done
        sleep 0.1
    done
    echo "slurm-private: the nodes are not idle after 30 s" >&2
    return 1
}

try_up() {
    PORTS=
    free_port
    CTLD_PORT=$PORT
    free_port
    DBD_PORT=$PORT
    CLUSTER=pm$CTLD_PORT
    NODES=$(node_names "$WANT" "$CTLD_PORT" | tr '\n' ' ')
    NODES=${NODES% }
    mkdir -p "$DIR"/{etc,log,run,state,spool,munge,hooks}
    chmod 755 "$DIR" "$DIR"/*
    write_hooks
    write_slurm_conf > "$DIR/etc/slurm.conf"
    write_cgroup_conf "$CGROUP" > "$DIR/etc/cgroup.conf"
    cat > "$DIR/env" <<C
SLURM_CONF='$DIR/etc/slurm.conf'
SLURM_PRIVATE_CLUSTER='$CLUSTER'
SLURM_PRIVATE_NODES='$NODES'
SLURM_PRIVATE_CGROUP='$CGROUP'
SLURM_PRIVATE_JOBCOMP='$DIR/log/jobcomp.txt'
C
    start_munge
    if [ -n "$ACCOUNTING" ]; then
        start_mariadb && start_slurmdbd || return 1
    fi
    start_daemons
    wait_ready
}

up() {
    local missing='' program attempt
    [ "$(id -u)" = 0 ] || die "must run as root: slurmd starts jobs as other users"
    # shellcheck disable=SC2086
    for program in munged slurmctld slurmd sinfo scancel ${ACCOUNTING:+slurmdbd sacctmgr mariadbd mariadb-install-db}; do
        command -v "$program" > /dev/null || missing+=" $program"
    done
    [ -z "$missing" ] || die "not installed:$missing (scripts/deps.sh slurm${ACCOUNTING:+ slurmdbd} installs it)"
    [ ! -e "$DIR" ] || [ -z "$(ls -A "$DIR")" ] || die "$DIR is there and not empty"
    [ "${#DIR}" -le 80 ] || die "$DIR is too long a path: sockets go into it"
    HOOKS=${SLURM_PRIVATE_HOOKS:-$SELF/../contrib/slurm}
    if [ ! -r "$HOOKS/prolog.sh" ] || [ ! -r "$HOOKS/epilog.sh" ]; then
        die "no prolog.sh and epilog.sh in $HOOKS"
    fi
    mkdir -p "$DIR"
    touch "$DIR/$MARK"
    CGROUP=$(cgroup_version)
    JOBS_DIR=${PROCMON_JOBS_DIR:-$DIR/jobs}
    [ "$CGROUP" != none ] || echo "slurm-private: no writable cgroups here that Slurm can use: jobs run without" >&2
    # A port can be taken by somebody else between choosing and using it.
    for attempt in 1 2 3; do
        if try_up; then
            echo "slurm-private: cluster $CLUSTER is up, nodes $NODES, cgroup $CGROUP; SLURM_CONF=$DIR/etc/slurm.conf"
            return
        fi
        echo "slurm-private: start $attempt failed:" >&2
        tail -n 5 "$DIR"/log/*.out "$DIR"/log/*.log "$DIR"/munge/log >&2 2>/dev/null || true
        stop
        find "$DIR" -mindepth 1 ! -name "$MARK" -delete
    done
    rm -rf "$DIR"
    die "can't start a private Slurm"
}

# cgroup_dirs: the directories that our slurmds made, deepest first. Their names
# hold a node name, which is ours alone; a slurmd that was built to run once on
# a machine uses the plain name, which is only safe where no other one runs.
cgroup_dirs() {
    local node
    for node in ${SLURM_PRIVATE_NODES:-}; do
        case ${SLURM_PRIVATE_CGROUP:-none} in
        v1) find /sys/fs/cgroup -depth -type d -path "*/slurm_$node*" 2>/dev/null || true ;;
        v2) find /sys/fs/cgroup -depth -type d -path "*/${node}_slurmstepd.scope*" 2>/dev/null || true ;;
        esac
        case $node in
        pm*) ;;
        *) [ -e /etc/slurm/slurm.conf ] || find /sys/fs/cgroup -depth -type d \( -path '*/slurm/*' -o -path '*/slurm' -o -path '*/slurmstepd.scope*' \) 2>/dev/null || true ;;
        esac
    done
}

# Processes that are still in our cgroups: job processes and slurmstepds.
kill_cgroups() {
    local dir pid i left
    for ((i = 0; i < 50; i++)); do
        left=
        while read -r dir; do
            while read -r pid; do
                left=yes
                kill -KILL "$pid" 2>/dev/null || true
            done < <(cat "$dir/cgroup.procs" 2>/dev/null)
        done < <(cgroup_dirs)
        [ -n "$left" ] || break
        sleep 0.1
    done
    cgroup_dirs | while read -r dir; do rmdir "$dir" 2>/dev/null || true; done
    [ -z "${SLURM_PRIVATE_SLICE:-}" ] || rmdir "$SLURM_PRIVATE_SLICE" 2>/dev/null || true
}

# What was started from our directory and is in no cgroup of ours: slurmstepds
# where Slurm runs without cgroups.
kill_stepds() {
    local env pid
    for env in /proc/[0-9]*/environ; do
        pid=${env#/proc/}
        pid=${pid%/environ}
        case $(cat "/proc/$pid/comm" 2>/dev/null) in
        slurmstepd | slurmctld | slurmscriptd | slurmd) ;;
        *) continue ;;
        esac
        if tr '\0' '\n' 2>/dev/null < "$env" | grep -qxF "SLURM_CONF=$DIR/etc/slurm.conf"; then
            kill -KILL "$pid" 2>/dev/null || true
        fi
    done
}

stop() {
    local f jobs i
    # shellcheck source=/dev/null
    [ ! -e "$DIR/env" ] || . "$DIR/env"
    export SLURM_CONF=$DIR/etc/slurm.conf
    if [ -e "$DIR/run/slurmctld.id" ] && running "$DIR/run/slurmctld.id"; then
        jobs=$(timeout 5 squeue -h -o %A 2>/dev/null | sort -u || true)
        if [ -n "$jobs" ]; then
            # shellcheck disable=SC2086
            timeout 10 scancel $jobs 2>/dev/null || true
            for ((i = 0; i < 100; i++)); do
                [ -n "$(timeout 5 squeue -h 2>/dev/null)" ] || break
                sleep 0.1
            done
        fi
    fi
    for f in "$DIR"/run/slurmd.*.id "$DIR"/run/slurmctld.id; do
        [ ! -e "$f" ] || end_process "$f"
    done
    kill_stepds
    kill_cgroups
    for f in slurmdbd mariadbd munged; do
        [ ! -e "$DIR/run/$f.id" ] || end_process "$DIR/run/$f.id"
    done
}

down() {
    [ -e "$DIR" ] || return 0
    [ -e "$DIR/$MARK" ] || die "$DIR was not made by slurm-private.sh up: nothing done"
    stop
    rm -rf "$DIR"
}

usage() { sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "$0"; }

# shellcheck source=scripts/slurm-private-dbd.sh
[ -z "$ACCOUNTING" ] || . "$SELF/slurm-private-dbd.sh"
[ $# -ge 2 ] || { usage >&2; exit 2; }
case $2 in
/*) DIR=$2 ;;
*) DIR=$PWD/$2 ;;
esac
WANT=${3:-1}
case $1 in
up) up ;;
down) down ;;
*) usage >&2; exit 2 ;;
esac
