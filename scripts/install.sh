#!/bin/bash
# Puts the built programs and what belongs to them in place, or takes them away.
#
#   install.sh install|uninstall      PREFIX (default /usr) and DESTDIR from the
#                                     environment
#
# PREFIX is /usr and not /usr/local because the latter is one shared file system
# on many clusters. With DESTDIR nothing but files below it is made: no group,
# no reload of systemd. slurm.conf is never edited.
set -euo pipefail
cd "$(dirname "$0")/.."

DESTDIR=${DESTDIR:-}
PREFIX=${PREFIX:-/usr}
BIN=$PREFIX/bin
LIBEXEC=$PREFIX/libexec/procmon
LIB=$PREFIX/lib
MAN=$PREFIX/share/man/man8

# One line for every file: mode, source, target. Optional sources start with "?".
files() {
    cat <<F
0755 bin/procmond $BIN/procmond
0755 bin/procmon-report $BIN/procmon-report
0644 contrib/systemd/procmond.service $LIB/systemd/system/procmond.service
0644 contrib/tmpfiles.d/procmon.conf $LIB/tmpfiles.d/procmon.conf
0644 contrib/sysusers.d/procmon.conf $LIB/sysusers.d/procmon.conf
0755 contrib/slurm/prolog.sh $LIBEXEC/prolog.sh
0755 contrib/slurm/epilog.sh $LIBEXEC/epilog.sh
0644 contrib/rsyslog/procmon.conf /etc/rsyslog.d/procmon.conf
0644 contrib/logrotate/procmon /etc/logrotate.d/procmon
F
    local f
    for f in contrib/pbs/*.py; do
        [ ! -e "$f" ] || echo "0644 $f $LIBEXEC/pbs/$(basename "$f")"
    done
    for f in contrib/pbs/*.json; do
        [ ! -e "$f" ] || echo "0644 $f $LIBEXEC/pbs/$(basename "$f")"
    done
}

# One line for every file that a program prints of itself: program, target, arguments.
printed() {
    local p
    for p in procmond procmon-report; do
        cat <<F
$p $MAN/$p.8 man
$p $PREFIX/share/bash-completion/completions/$p completion bash
$p $PREFIX/share/zsh/site-functions/_$p completion zsh
$p $PREFIX/share/fish/vendor_completions.d/$p.fish completion fish
F
        # Debian's zsh does not look at site-functions below /usr.
        [ ! -e /etc/debian_version ] || echo "$p $PREFIX/share/zsh/vendor-completions/_$p completion zsh"
    done
}

# Files in /etc that an administrator may have changed.
is_config() { case $1 in /etc/*) return 0 ;; *) return 1 ;; esac }

say() { echo "procmon: $*"; }
die() { echo "procmon: $*" >&2; exit 1; }
live() { [ -z "$DESTDIR" ]; }

check() {
    local mode source target
    if live && [ "$(id -u)" != 0 ]; then
        die "install and uninstall need root, or DESTDIR=/some/where"
    fi
    while read -r mode source target; do
        [ -r "$source" ] || die "$source is not there$(case $source in bin/*) echo ": run make build first" ;; esac)"
    done < <(files)
}

put() { # MODE SOURCE TARGET
    local target=$DESTDIR$3
    if is_config "$3" && [ -e "$target" ] && ! cmp -s "$2" "$target"; then
        say "$3 differs from ours and is kept; ours is $3.procmon-new"
        target=$target.procmon-new
    fi
    install -D -m "$1" "$2" "$target"
}

install_all() {
    local mode source target unit program arguments words
    check
    while read -r mode source target; do
        put "$mode" "$source" "$target"
    done < <(files)
    while read -r program target arguments; do
        read -r -a words <<< "$arguments"
        # Not worth failing for: a program for another kind of machine does not run here.
        "bin/$program" "${words[@]}" < /dev/null 2> /dev/null | install -D -m 0644 /dev/stdin "$DESTDIR$target" ||
            say "bin/$program does not run here: $target is left out"
    done < <(printed)
    unit=$DESTDIR$LIB/systemd/system/procmond.service
    [ "$BIN" = /usr/bin ] || sed -i "s#/usr/bin/procmond#$BIN/procmond#" "$unit"

    if [ ! -e "$DESTDIR/etc/procmon/procmond.toml" ]; then
        install -D -m 0644 contrib/procmond.toml "$DESTDIR/etc/procmon/procmond.toml"
    fi
    install -d -m 0755 "$DESTDIR/etc/procmon/catalog.d"
    if live; then
        make_group
        install -d -m 0755 /run/procmon /run/procmon/jobs
        install -d -m 0750 -g procmon /var/lib/procmon
        reload
    else
        install -d -m 0755 "$DESTDIR/run/procmon/jobs"
        install -d -m 0750 "$DESTDIR/var/lib/procmon"
    fi
    next
}

make_group() {
    getent group procmon > /dev/null && return 0
    say "making the group procmon: its members may read the index"
    groupadd --system procmon
}

reload() {
    [ -d /run/systemd/system ] || return 0
    systemctl daemon-reload
}

next() {
    cat <<N
procmon: installed. What is left to do:

1. Slurm: add these lines to slurm.conf on the controller and the nodes (it was
   not edited), then "scontrol reconfigure". Where there is a prolog already,
   call ours from it, or let a pattern such as /etc/slurm/prolog.d/* run both.

       PrologFlags=Alloc,Contain
       Prolog=$LIBEXEC/prolog.sh
       Epilog=$LIBEXEC/epilog.sh

2. Log lines: systemctl restart rsyslog

3. Start:      systemctl enable --now procmond
   Look:       procmond check
               procmon-report --by-application

Users who may see reports:  gpasswd --add USER procmon
Settings:                   /etc/procmon/procmond.toml
N
}

# in_use TARGET: does the machine's slurm.conf run it?
in_use() {
    case $1 in
    "$LIBEXEC"/*log.sh) live && grep -qsF "$1" "${SLURM_CONF:-/etc/slurm/slurm.conf}" ;;
    *) return 1 ;;
    esac
}

uninstall_all() {
    local mode source target dir _
    if live; then
        [ "$(id -u)" = 0 ] || die "install and uninstall need root, or DESTDIR=/some/where"
        if [ -d /run/systemd/system ]; then
            systemctl disable --now procmond 2>/dev/null || true
        fi
        # The eBPF programs would go on without it.
        [ ! -x "$BIN/procmond" ] || "$BIN/procmond" detach || true
    fi
    while read -r mode source target; do
        if is_config "$target" && [ -e "$DESTDIR$target" ] && ! cmp -s "$source" "$DESTDIR$target"; then
            say "$target was changed and is kept"
            continue
        fi
        if in_use "$target"; then
            say "$target is kept: slurm.conf names it, and a missing prolog or epilog drains the node"
            continue
        fi
        rm -f "$DESTDIR$target"
    done < <(files)
    while read -r _ target _; do
        rm -f "$DESTDIR$target"
    done < <(printed)
    for dir in "$LIBEXEC/pbs" "$LIBEXEC"; do
        [ ! -d "$DESTDIR$dir" ] || rmdir --ignore-fail-on-non-empty "$DESTDIR$dir"
    done
    ! live || reload
    cat <<N
procmon: uninstalled. Kept, because they are yours:
    /etc/procmon        settings and application rules
    /var/lib/procmon    the index
    /run/procmon        job facts
    /var/log/procmon*   log lines
    group procmon
N
}

case ${1:-} in
install) install_all ;;
uninstall) uninstall_all ;;
*) sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
