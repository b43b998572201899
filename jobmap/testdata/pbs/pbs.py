"""A stand-in for OpenPBS's module pbs, as far as the hook uses it. The event
and the job come from the variable PBS_STUB, as JSON."""
import json
import os

EXECJOB_BEGIN = 64
EXECJOB_EPILOGUE = 512
EXECJOB_END = 1024

_stub = json.loads(os.environ["PBS_STUB"])


class _Job(object):
    def __init__(self, attributes):
        self.__dict__.update(attributes)

    def __getattr__(self, name):
        if _stub.get("raise"):
            raise RuntimeError(name)
        return None


class _Event(object):
    type = _stub["type"]
    job = _Job(_stub["job"] or {})

    def accept(self):
        raise SystemExit(0)

    def reject(self, message=""):
        raise SystemExit(1)


def event():
    if _stub.get("no_event"):
        raise RuntimeError("no event")
    return _Event()


def get_local_nodename():
    return _stub.get("node", "n1")
