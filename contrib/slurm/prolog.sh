#!/bin/sh
# Slurm Prolog (slurm.conf: Prolog=, PrologFlags=Alloc,Contain): notes the facts
# of a job for procmond, as root, before its first process starts.
#
# It appends one line to $PROCMON_JOBS_DIR/slurm-JOBID (docs/jobs.md tells the
# format), starts no program unless the directory is missing, needs no daemon,
# and exits 0 whatever happens: a prolog that fails drains the node.

procmon_add() { # KEY VALUE [LONGEST]: one field; what could break the line is left out
	case $2 in
	'' | *[[:cntrl:]]*) return 0 ;;
	esac
	[ ${#2} -le "${3:-128}" ] && procmon_line="$procmon_line$procmon_tab$1=$2"
}

procmon_note() { # begin|end
	LC_ALL=C
	PATH=/usr/sbin:/usr/bin:/sbin:/bin
	umask 022
	procmon_id=${SLURM_JOB_ID:-${SLURM_JOBID:-}}
	case $procmon_id in
	'' | *[!0-9]* | ???????????*) return 0 ;;
	esac
	procmon_dir=${PROCMON_JOBS_DIR:-/run/procmon/jobs}
	[ -d "$procmon_dir" ] || mkdir -p "$procmon_dir" || return 0

	# The time since boot, since no shell must start date(1) to know it.
	procmon_up='' procmon_boot=''
	read -r procmon_up _ </proc/uptime
	read -r procmon_boot </proc/sys/kernel/random/boot_id

	procmon_tab='	'
	procmon_line=$1
	procmon_add SCHEDULER slurm
	procmon_add ID "$procmon_id"
	procmon_add RESTART "${SLURM_JOB_RESTART_COUNT:-${SLURM_RESTART_COUNT:-0}}"
	procmon_add SLUID "${SLURM_JOB_SLUID:-}"
	procmon_add CLUSTER "${SLURM_CLUSTER_NAME:-}"
	procmon_add NODE "${SLURMD_NODENAME:-}"
	procmon_add UID "${SLURM_JOB_UID:-${SLURM_UID:-}}"
	procmon_add USER "${SLURM_JOB_USER:-}"
	procmon_add ACCOUNT "${SLURM_JOB_ACCOUNT:-}"
	procmon_add PARTITION "${SLURM_JOB_PARTITION:-}"
	procmon_add NAME "${SLURM_JOB_NAME:-}"
	procmon_add ARRAY_JOB "${SLURM_ARRAY_JOB_ID:-}"
	procmon_add ARRAY_TASK "${SLURM_ARRAY_TASK_ID:-}"
	procmon_add HET_JOB "${SLURM_HET_JOB_ID:-${SLURM_PACK_JOB_ID:-}}"
	procmon_add HET_OFFSET "${SLURM_HET_JOB_OFFSET:-}"
	procmon_add CPUS_PER_NODE "${SLURM_JOB_CPUS_PER_NODE:-}" 512
	case ${SLURM_JOB_CPUS_PER_NODE:-} in
	*,*) procmon_add NODELIST "${SLURM_JOB_NODELIST:-${SLURM_NODELIST:-}}" 2048 ;;
	esac
	procmon_add GPUS "${SLURM_JOB_GPUS:-}" 512
	procmon_add START_TIME "${SLURM_JOB_START_TIME:-}"
	if [ "$1" = end ]; then
		procmon_add END_TIME "${SLURM_JOB_END_TIME:-}"
		procmon_add EXIT "${SLURM_JOB_EXIT_CODE2:-}"
	fi
	procmon_add UPTIME "$procmon_up"
	procmon_add BOOT "$procmon_boot"
	# The empty line parts it from one that a full disk cut short.
	printf '\n%s\t.\n' "$procmon_line" >>"$procmon_dir/slurm-$procmon_id"
}

procmon_note begin </dev/null >/dev/null 2>&1
exit 0
