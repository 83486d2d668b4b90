"""The machines of a run, which the environment variable `TF_CONFIG` names; needs no TensorFlow.

`{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}` is the first of
two workers, which is the chief. A cluster may also name the chief as a job of its own, `"chief": ["10.0.0.1:2222"]`.
"""

import json
import os
import re
import socket
import time
from typing import NamedTuple

from tinybert_tf.errors import InputError

VARIABLE = "TF_CONFIG"
START_SECONDS = 300  # within which all workers must be there
JOBS = ("chief", "worker")
_LAST_PORT = 65535
_OTHER_CAUSES = ("FailedPrecondition", "Internal")  # often; unless another worker is named
_ERRORS = ("Unavailable", "Aborted", "Cancelled", "DeadlineExceeded", "FailedPrecondition", "Internal")


class Cluster(NamedTuple):
    """Several workers, and which of them this process is.

    Args:
        addresses: Address of each worker, as `host:port`; the first one is the chief's.
        index: Place of this process among them.
        chiefs: Number of them, 0 or 1, that are a job of its own.
    """

    addresses: tuple[str, ...]
    index: int
    chiefs: int = 0

    @property
    def is_chief(self) -> bool:
        """Whether this process is the chief, which alone writes."""
        return self.index == 0

    def place(self, job: str, number: int) -> int:
        """Returns the place of a job's task among all workers."""
        return number + (self.chiefs if job == "worker" else 0)


def cluster() -> Cluster | None:
    """Returns the workers that `TF_CONFIG` names; None if it is not set, or names one alone.

    Raises:
        InputError: It cannot be used.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(VARIABLE, f"{text[:80]!r} ({error})", "JSON") from None
    jobs = content.get("cluster", None if "task" in content else {}) if isinstance(content, dict) else None
    if jobs == {}:  # one machine, as TensorFlow reads it
        return None
    if not isinstance(jobs, dict):
        raise InputError(VARIABLE, "no cluster", 'JSON with "cluster": {"worker": ["host:port", …]}')
    if other := set(jobs) - set(JOBS):
        raise InputError(VARIABLE, f"a cluster with {min(other)!r}", "workers and at most one chief")
    for job, addresses in jobs.items():
        if not isinstance(addresses, list):
            raise InputError(VARIABLE, f"the {job} {addresses!r}", "a list of addresses")
    if len(jobs.get("chief", ())) > 1:
        raise InputError(VARIABLE, f"{len(jobs['chief'])} chiefs", "one at most")
    addresses = tuple(address for job in JOBS for address in jobs.get(job, ()))
    for place, address in enumerate(addresses):
        host, _, port = address.rpartition(":") if isinstance(address, str) else ("", "", "")
        if not host or not port.isdecimal() or not 0 < int(port) <= _LAST_PORT or address in addresses[:place]:
            raise InputError(VARIABLE, f"the address {address!r}", "host:port, another one for each worker")
    if len(addresses) == 1:
        return None
    job, number = _task(content.get("task"), jobs)
    whole = Cluster(addresses, 0, len(jobs.get("chief", ())))
    return whole._replace(index=whole.place(job, number))


def _task(task, jobs: dict) -> tuple[str, int]:
    """Returns the job of this process, and its number there."""
    job, number = (task.get("type"), task.get("index")) if isinstance(task, dict) else (None, None)
    if not isinstance(job, str) or job not in jobs:
        raise InputError(VARIABLE, f"a task of type {job!r}", f"one of the cluster's: {', '.join(sorted(jobs))}")
    if not str(number).isdecimal() or int(number) >= len(jobs[job]):
        raise InputError(VARIABLE, f"the task's index {number!r}", f"0 to {len(jobs[job]) - 1}, as in the cluster")
    return job, int(number)


def refuse() -> None:
    """Refuses several workers for a stage that does not share its work with them."""
    if workers := cluster():
        expected = "none: only --stage=general, finetune, task and masked_lm run on several machines"
        raise InputError(VARIABLE, f"a cluster of {len(workers.addresses)} workers", expected)


def meet(workers: Cluster) -> None:
    """Waits until each other worker can be reached, and can reach this one.

    TensorFlow's own start waits longer, cannot be interrupted, and would not say for which worker.

    Raises:
        InputError: The port of this worker is taken, or a worker cannot be reached within `START_SECONDS`.
    """
    own = workers.addresses[workers.index]
    try:
        door = _door(int(own.rpartition(":")[2]))
    except OSError as error:
        raise InputError(VARIABLE, f"{own} for this worker ({error})", "a port that is free here") from None
    missing, deadline = [address for address in workers.addresses if address != own], time.monotonic() + START_SECONDS
    with door:
        while missing := [address for address in missing if not _answers(address)]:
            if time.monotonic() > deadline:
                got = f"{', '.join(missing)}, not reached within {START_SECONDS} s"
                raise InputError(VARIABLE, got, "all workers to be started at about the same time")
            time.sleep(0.2)


def _door(port: int) -> socket.socket:
    """Returns a server on a port of this machine, for IPv6 too where there is any."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
    except OSError:
        return False
    return True


def lost(error: Exception) -> str | None:
    """Returns the addresses of the workers that are lost, if one of TensorFlow's errors says so; otherwise None."""
    workers, name = cluster(), type(error).__name__.removesuffix("Error")
    if workers is None or name not in _ERRORS or not type(error).__module__.startswith("tensorflow."):
        return None
    tasks = re.findall(r"/job:(chief|worker)(?:/replica:0)?/task:(\d+)", error.message)
    found = {workers.place(job, int(number)) for job, number in tasks} - {workers.index}
    if not found and name in _OTHER_CAUSES:
        return None
    return ", ".join(workers.addresses[place] for place in sorted(found)) or "another worker"
