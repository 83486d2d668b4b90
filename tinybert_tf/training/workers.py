"""Several machines that share each batch (`tf.distribute.MultiWorkerMirroredStrategy`), one worker on each.

All workers run the same command, so they make the same variables and the same batches, and each computes its rows of
every batch (`devices`). The chief alone decides and writes. The other workers get its decisions from `from_chief`.

TensorFlow notices a lost worker at once if its connection breaks, and otherwise because its heartbeats are missing for
10 seconds. The next step, or the next decision, then fails on all other workers.
"""

import contextlib
import json
import signal
from typing import Any

import numpy as np
import tensorflow as tf

from tinybert_tf.errors import InputError
from tinybert_tf.training import cluster
from tinybert_tf.training.run_directory import RunDirectory

_joined: list[tf.distribute.Strategy] = []  # at most one per process, for TensorFlow starts one server


def join(devices: str) -> tf.distribute.Strategy | None:
    """Joins the cluster that `TF_CONFIG` names, once per process and before TensorFlow's first operation.

    Args:
        devices: Number of GPUs to use on each machine, or `all`.

    Returns:
        The strategy, or None if there is one machine.

    Raises:
        InputError: `TF_CONFIG` cannot be used, a worker cannot be reached, or this machine has fewer GPUs.
    """
    workers = cluster.cluster()
    if workers is None or _joined:
        return _joined[0] if workers else None
    gpus = tf.config.list_physical_devices("GPU")
    number = max(1, len(gpus)) if devices == "all" else int(devices)
    if number > max(1, len(gpus)):
        expected = f"at most {max(1, len(gpus))}, because TensorFlow finds {len(gpus)} GPU on this machine"
        raise InputError("devices", number, expected)
    tf.config.set_visible_devices(gpus[:number], "GPU")
    tf.get_logger().setLevel("ERROR")  # otherwise a line for each sum that is traced
    cluster.meet(workers)
    signal.alarm(cluster.START_SECONDS)  # ends this process if a worker is lost just now: TensorFlow would wait for it
    try:
        _joined.append(tf.distribute.MultiWorkerMirroredStrategy())
    except RuntimeError as error:
        expected = "a process in which TensorFlow has computed nothing yet"
        raise InputError(cluster.VARIABLE, f"several workers ({error})", expected) from None
    finally:
        signal.alarm(0)
    return _joined[0]


def strategy() -> tf.distribute.MultiWorkerMirroredStrategy | None:
    """Returns the strategy in whose scope this is called, if it has several workers."""
    current = tf.distribute.get_strategy()
    several = (
        isinstance(current, tf.distribute.MultiWorkerMirroredStrategy) and current.extended._in_multi_worker_mode()
    )
    return current if several else None


def is_chief() -> bool:
    """Returns whether this process writes: the chief of several workers, or the only one."""
    workers = cluster.cluster()
    return workers is None or workers.is_chief


def replicas() -> range:
    """Returns the numbers of the replicas that this worker computes, of all replicas."""
    current, several = tf.distribute.get_strategy(), strategy()
    if several is None:
        return range(current.num_replicas_in_sync)
    number = len(several.extended.worker_devices)
    first = several.extended._get_replica_id_in_sync_group(0)
    return range(first, first + number)


def from_chief(value: Any) -> Any:
    """Returns the chief's value, as JSON holds it, on every worker; all of them must call this."""
    if strategy() is None:
        return value
    data = np.frombuffer(json.dumps(value).encode() if is_chief() else b"", np.uint8)
    size = int(_sum(np.array([len(data)], np.int32))[0])
    data = data if is_chief() else np.zeros(size, np.uint8)
    return json.loads(_sum(data.astype(np.int32)).astype(np.uint8).tobytes())


def assign_from_chief(variables: list) -> None:
    """Gives variables the chief's values, bit for bit, on every worker; all of them must call this."""
    if strategy() is None:
        return
    for variable in variables:
        value = np.asarray(variable)
        data = np.zeros(-(-value.nbytes // 4), np.int32)  # a sum of one value and zeros; bits cannot be rounded so
        if is_chief():
            data.view(np.uint8)[: value.nbytes] = np.frombuffer(value.tobytes(), np.uint8)
        data = _sum(data)
        if not is_chief():
            variable.assign(np.frombuffer(data.tobytes()[: value.nbytes], value.dtype).reshape(value.shape))


def _sum(values: np.ndarray) -> np.ndarray:
    """Adds an array of all workers up, on their processors: NCCL could not, if only some have GPUs."""
    value = tf.constant(values)
    sums = strategy().extended._host_cross_device_ops
    return sums.reduce(tf.distribute.ReduceOp.SUM, value, value).numpy()


class ReadOnlyRunDirectory(RunDirectory):
    """The chief's run directory as another worker sees it: everything is read, and nothing is written."""

    def start(self, inputs: dict[str, str]) -> contextlib.AbstractContextManager:
        self._check(inputs)
        self.record = self.record or {"stage": self.stage, "settings": self.settings, "inputs": inputs}
        return contextlib.nullcontext()

    def log(self, step: int, values: dict) -> None:
        """Leaves the line to the chief."""

    def rewind(self, step: int) -> None:
        """Leaves the lines to the chief."""

    def _write(self) -> None:
        """Leaves the record to the chief."""
