"""OpenPBS hook that notes the facts of a job for procmond, as root.

Events: execjob_begin when a job begins on this host, execjob_epilogue and
execjob_end when it ends. Each appends one line to
$PROCMON_JOBS_DIR/openpbs-JOBID (docs/jobs.md tells the format).

It asks no server, starts no program, needs no daemon, never raises and never
rejects a job: without a word of its own, PBS takes an event as accepted.
It runs with Python 2.7 and Python 3.
"""
import os
import pwd
import re

import pbs

JOB_ID = re.compile(r"\A[0-9]+(\[[0-9]+\])?(\.[A-Za-z0-9._-]+)?\Z")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def first_word(path):
    """The first word of a file of /proc; empty when it can't be read."""
    try:
        with open(path) as f:
            return f.readline().split()[0]
    except Exception:
        return ""


def attribute(job, name):
    """A job's attribute as text; empty when it is not set."""
    try:
        value = getattr(job, name)
        return "" if value is None else str(value)
    except Exception:
        return ""


def user_id(user):
    try:
        return str(pwd.getpwnam(user).pw_uid)
    except Exception:
        return ""


def node_name():
    try:
        return str(pbs.get_local_nodename())
    except Exception:
        return ""


def on_node(exec_vnode, node, resource):
    """How much of a resource a job has on a node: exec_vnode is
    "(n1[0]:ncpus=2:ngpus=1)+(n2:ncpus=4)"; vnodes of a host are numbered."""
    total = 0
    for chunk in exec_vnode.replace("(", "").replace(")", "").split("+"):
        parts = chunk.split(":")
        if parts[0].split("[")[0].split(".")[0] != node.split(".")[0]:
            continue
        for part in parts[1:]:
            name, _, amount = part.partition("=")
            if name == resource and amount.isdigit():
                total += int(amount)
    return str(total) if total else ""


def restarts(job):
    """PBS counts the runs of a job, from 1."""
    count = attribute(job, "run_count")
    return str(max(0, int(count) - 1)) if count.isdigit() else "0"


def facts(job, job_id, kind):
    """The fields of a line, in the order of the file's description."""
    node = node_name()
    vnodes = attribute(job, "exec_vnode")
    user = attribute(job, "euser") or attribute(job, "Job_Owner").split("@")[0]
    fields = [
        ("SCHEDULER", "openpbs"),
        ("ID", job_id),
        ("RESTART", restarts(job)),
        ("NODE", node),
        ("UID", user_id(user)),
        ("USER", user),
        ("ACCOUNT", attribute(job, "Account_Name")),
        ("PARTITION", attribute(job, "queue")),
        ("NAME", attribute(job, "Job_Name")),
        ("CPUS", on_node(vnodes, node, "ncpus")),
        ("NGPUS", on_node(vnodes, node, "ngpus")),
    ]
    if kind == "end":
        fields.append(("EXIT", attribute(job, "Exit_status")))
    fields.append(("UPTIME", first_word("/proc/uptime")))
    fields.append(("BOOT", first_word("/proc/sys/kernel/random/boot_id")))
    return fields


def note(kind, job):
    job_id = attribute(job, "id")
    if len(job_id) > 200 or not JOB_ID.match(job_id):
        return
    directory = os.environ.get("PROCMON_JOBS_DIR") or "/run/procmon/jobs"
    if not os.path.isdir(directory):
        os.makedirs(directory, 0o755)
    line = kind
    for key, value in facts(job, job_id, kind):
        # What could break the line is left out.
        if value and len(value) <= 128 and not CONTROL.search(value):
            line += "\t" + key + "=" + value
    # The empty line parts it from one that a full disk cut short.
    data = "\n" + line + "\t.\n"
    if not isinstance(data, bytes):
        data = data.encode("utf-8", "replace")
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    fd = os.open(os.path.join(directory, "openpbs-" + job_id), flags, 0o644)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


try:
    event = pbs.event()
    note("begin" if event.type == pbs.EXECJOB_BEGIN else "end", event.job)
except Exception:
    pass
