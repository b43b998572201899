# shellcheck shell=bash
# The accounting of a private Slurm: mariadbd and slurmdbd below the same
# directory. slurm-private.sh reads this file when SLURM_PRIVATE_ACCOUNTING is
# set; DIR, CLUSTER, PORTS and its functions are as there.
#
# Whatever talks to slurmdbd must sign with the private munged, not with that of
# the machine: slurmdbd itself by AuthInfo of slurmdbd.conf, slurmctld, sacctmgr
# and sacct by AccountingStoragePass of slurm.conf, which with munge is the path
# of a socket. AuthInfo of slurm.conf is for slurmctld's and slurmd's own talk.

write_slurmdbd_conf() {
    cat <<C
AuthType=auth/munge
AuthInfo=socket=$DIR/munge/socket
DbdHost=$(hostname)
DbdAddr=127.0.0.1
DbdPort=$DBD_PORT
SlurmUser=root
PidFile=$DIR/run/slurmdbd.pid
LogFile=$DIR/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct
C
}

# What slurm.conf says of accounting. CommitDelay is left at 0: a record is
# there once slurmdbd has taken it.
accounting_conf() {
    cat <<C
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$DBD_PORT
AccountingStoragePass=$DIR/munge/socket
C
}

# wait_for WHAT COMMAND…: until the command succeeds, for at most 30 s.
wait_for() {
    local what=$1 i
    shift
    for ((i = 0; i < 300; i++)); do
        timeout 5 "$@" > /dev/null 2>&1 && return 0
        sleep 0.1
    done
    echo "slurm-private: $what did not come up within 30 s" >&2
    return 1
}

# mariadbd on a socket alone. Root on that socket is root of the database, by
# its uid: no password is needed. Nothing of it survives, so it may lose
# what it likes in a crash.
start_mariadb() {
    mkdir -p "$DIR/mariadb"
    mariadb-install-db --no-defaults --user=root --datadir="$DIR/mariadb/data" --skip-test-db \
        --auth-root-authentication-method=socket --auth-root-socket-user=root > "$DIR/log/mariadb-install.out" 2>&1 || return 1
    setsid mariadbd --no-defaults --user=root --datadir="$DIR/mariadb/data" --socket="$DIR/mariadb/socket" \
        --pid-file="$DIR/mariadb/pid" --skip-networking --innodb-flush-log-at-trx-commit=0 \
        --innodb-lock-wait-timeout=900 > "$DIR/log/mariadb.out" 2>&1 < /dev/null &
    remember mariadbd $!
    wait_for mariadbd mariadb-admin --no-defaults --socket="$DIR/mariadb/socket" ping
}

# slurmdbd looks for the database's socket where its client library does.
start_slurmdbd() {
    install -m 600 /dev/null "$DIR/etc/slurmdbd.conf"
    write_slurmdbd_conf > "$DIR/etc/slurmdbd.conf"
    MYSQL_UNIX_PORT=$DIR/mariadb/socket SLURM_CONF=$DIR/etc/slurm.conf \
        setsid slurmdbd -D > "$DIR/log/slurmdbd.out" 2>&1 < /dev/null &
    remember slurmdbd $!
    wait_for slurmdbd env SLURM_CONF="$DIR/etc/slurm.conf" sacctmgr -n show cluster
    # slurmctld doesn't start while slurmdbd does not know its cluster.
    SLURM_CONF=$DIR/etc/slurm.conf timeout 10 sacctmgr -i add cluster "$CLUSTER" > "$DIR/log/sacctmgr.out" 2>&1
}
