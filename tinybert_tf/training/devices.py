"""The devices that a run computes on: one, or several that compute a share of every batch each (data parallelism).

Each device has a copy of the weights (`tf.distribute.MirroredStrategy`, or that of `workers` for several machines). The
losses are means over the rows of a batch, so the mean of a share counts by its number of rows, and the gradients of all
shares are added up before they are clipped. A step is then that of one device, whatever the number of rows; only the
order of the sums, dropout, the partners of mixtures and rounding differ: on one CPU, GELU and AdamW are XLA programs.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable

import keras
import numpy as np
import tensorflow as tf

from tinybert_tf.errors import InputError
from tinybert_tf.layers import activations
from tinybert_tf.training import cluster, workers

ALL = "all"
_AT_A_TIME = "sequences that are computed at a time"


def scope(devices: str, rows: int | None = None) -> contextlib.AbstractContextManager:
    """Returns the context in which a run builds its models and computes.

    Args:
        devices: Number of devices, or `all`: of those of this machine, or, of several workers, of each one's GPUs.
        rows: Sequences that are computed at a time; None for a stage that does not train.

    Raises:
        InputError: There are fewer devices, or fewer sequences; or `TF_CONFIG` cannot be used, or not by this stage.
    """
    if rows is None:
        cluster.refuse()
    if strategy := workers.join(devices):
        number = strategy.num_replicas_in_sync
        if number > rows:
            raise InputError("devices", f"{number} on all workers", f"at most {rows}, the {_AT_A_TIME}")
        return strategy.scope()
    names = chosen(devices, rows)
    if len(names) == 1:
        return contextlib.nullcontext()
    tf.get_logger().setLevel("WARNING")  # otherwise a line for each sum that is traced
    # For CPUs TensorFlow would choose collective sums, which refuse a second number of devices in one process.
    sums = None if "GPU" in names[0] else tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(names, sums).scope()


def chosen(devices: str, rows: int | None = None) -> list[str]:
    """Returns the names of the first devices: of GPUs, or, if there are none, of TensorFlow's logical CPUs.

    Args:
        devices: Number of devices, or `all`.
        rows: Rows that are computed at a time in training; None if the run does not train.

    Raises:
        InputError: There are fewer devices, or fewer rows.
    """
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    found = [device.name for device in tf.config.list_logical_devices(kind)]
    number = len(found) if devices == ALL else int(devices)
    if number > len(found):
        raise InputError("devices", number, f"at most {len(found)}, because TensorFlow finds {len(found)} {kind}")
    if rows is not None and number > rows:
        raise InputError("devices", number, f"at most {rows}, the {_AT_A_TIME}")
    return found[:number]


def train_step(model: keras.Model, example: tuple | dict) -> Callable[[tuple | dict], dict]:
    """Returns a function that takes a step on a batch in NumPy and returns the metrics since they were reset.

    Args:
        model: A compiled and built model, whose losses are means over rows.
        example: A batch.
    """
    number = tf.distribute.get_strategy().num_replicas_in_sync
    if number == 1:
        step = model.train_step if model.jit_compile or tf.config.list_logical_devices("GPU") else _fused(model)
        graph = _graph(step, model, example, 1)
        return lambda batch: graph(*_shares(batch))
    graph = _graph(_Together(model), model, example, len(workers.replicas()), [tf.TensorSpec([], tf.int32)])
    return lambda batch: graph(tf.constant(_rows(batch)), *_shares(batch))


def _fused(model: keras.Model) -> Callable:
    def step(batch):
        with activations.fused():
            return model.train_step(batch)

    return step


class Evaluator:
    """A function of batches in NumPy that returns a model's metrics on them, like Keras's `evaluate`.

    Keras's own returns NaN if a batch has fewer rows than there are devices.

    Args:
        model: A compiled and built model.
    """

    def __init__(self, model: keras.Model):
        self.model = model
        self._graphs: dict[int, Callable] = {}

    def __call__(self, batches: Iterable[tuple | dict]) -> dict[str, float]:
        self.model.reset_metrics()
        logs = {}
        for batch in batches:
            shares = _shares(batch)
            if len(shares) not in self._graphs:
                self._graphs[len(shares)] = _graph(self._test, self.model, batch, len(shares))
            logs = self._graphs[len(shares)](*shares)
        return {name: float(value) for name, value in logs.items()}

    def _test(self, *shares) -> dict:
        tf.distribute.get_strategy().run(self._replica, args=(shares,))
        return self.model.get_metrics_result()

    def _replica(self, shares) -> None:
        number = _local_id()
        if number < len(shares):
            self.model.test_step(shares[number])


class Forward:
    """A function of inputs in NumPy, each `[rows, length]`, as one graph; each device computes a share of the rows.

    Of several workers each computes all rows for itself, so that one that finds them in its cache keeps nobody waiting.

    Args:
        function: Function of a dict of tensors that returns tensors `[rows, …]`, one or a dict of them.
        names: Names of the inputs, which are int32.
    """

    def __init__(self, function: Callable, names: Iterable[str]):
        self.function, self._number = function, len(workers.replicas())
        signature = dict.fromkeys(names, tf.TensorSpec([None, None], tf.int32))
        run = functools.partial(self._run)  # of a method TensorFlow counts the traces of all objects, and warns
        self._graph = tf.function(run, input_signature=[signature] * self._number, autograph=False)

    def __call__(self, inputs: dict[str, np.ndarray]):
        """Returns the function's value for all rows, in NumPy."""
        rows = len(next(iter(inputs.values())))
        if rows < self._number:  # each device computes something
            inputs = {name: np.resize(value, (self._number, value.shape[1])) for name, value in inputs.items()}
        parts = self._graph(*_cut(inputs, range(self._number), self._number))
        return keras.tree.map_structure(lambda *values: _in_order(values)[:rows], *parts)

    def _run(self, *shares):
        strategy = tf.distribute.get_strategy()
        return strategy.experimental_local_results(strategy.run(lambda: self.function(shares[_local_id()])))


def _graph(step: Callable, model: keras.Model, example: tuple | dict, number: int, first: Iterable = ()) -> Callable:
    """Returns a function of tensors of the specs `first` and of as many shares, as one graph for every shape.

    If each length were traced when it first comes, a run that resumes would round differently from one that never
    stopped.
    """
    spec = keras.tree.map_structure(lambda array: tf.TensorSpec([None] * array.ndim, array.dtype), example)
    # Without AutoGraph, as in Keras's own `fit`: it would rewrite all functions of a step, in a second or two.
    return tf.function(step, input_signature=[*first, *[spec] * number], jit_compile=model.jit_compile, autograph=False)


def _shares(batch: tuple | dict) -> list:
    """Returns the rows of each device of this worker that has any."""
    number = min(tf.distribute.get_strategy().num_replicas_in_sync, _rows(batch))
    return _cut(batch, [replica for replica in workers.replicas() if replica < number], number)


def _cut(batch: tuple | dict, replicas: Iterable[int], number: int) -> list:
    """Returns the rows of these devices of `number`. Neighbours, maybe of similar length, go to different devices."""
    return [keras.tree.map_structure(lambda array, i=i: tf.constant(array[i::number]), batch) for i in replicas]


def _rows(batch: tuple | dict) -> int:
    return len(keras.tree.flatten(batch)[0])


def _in_order(parts: tuple) -> np.ndarray:
    """Puts the rows of `_shares` back to their places."""
    parts = [part.numpy() for part in parts]
    whole = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), parts[0].dtype)
    for i, part in enumerate(parts):
        whole[i :: len(parts)] = part
    return whole


class _Together:
    """A model's `train_step` on several devices at once, as a function of a batch's rows and of the devices' shares."""

    def __init__(self, model: keras.Model):
        self.model = model
        self.seeds = [variable for variable in model.variables if variable.name == "seed_generator_state"]

    def __call__(self, total, *shares) -> dict:
        model, optimizer = self.model, self.model.optimizer
        rows = [tf.shape(keras.tree.flatten(share)[0])[0] for share in shares]
        number = tf.distribute.get_strategy().num_replicas_in_sync
        model.optimizer = _Summing(optimizer, [number * count / total for count in rows])
        try:
            logs = tf.distribute.get_strategy().run(self._replica, args=(shares,))
        finally:
            model.optimizer = optimizer
        values = model.get_metrics_result()  # over all devices; a replica's are its own
        return {name: values[name] for name in logs}

    def _replica(self, shares) -> dict:
        number = _replica_id()
        self._shift_seeds(number)
        logs = self.model.train_step(shares[_local_id()])
        self._shift_seeds(-number)
        return logs

    def _shift_seeds(self, by: int) -> None:
        """Makes this replica drop other neurons than the next one; checkpoints keep the seeds as they are."""
        for seed in self.seeds:
            seed.assign(seed + np.array([by, 0], seed.dtype))


class _Summing:
    """Stands in for a model's optimizer in `train_step`: it adds the gradients of all replicas up for the optimizer.

    Keras would do that after the clipping.

    Args:
        optimizer: The model's optimizer.
        factors: What brings the mean loss of each replica, which is divided by their number, to its share of the rows.
    """

    def __init__(self, optimizer, factors: list):
        self.optimizer, self.factors = optimizer, factors

    def scale_loss(self, loss):
        return self.optimizer.scale_loss(loss * tf.cast(self.factors[_local_id()], loss.dtype))

    def apply_gradients(self, pairs) -> None:
        gradients, variables = zip(*((gradient, variable) for gradient, variable in pairs if gradient is not None))
        summed = tf.distribute.get_replica_context().merge_call(_sum, gradients)
        self.optimizer.apply(list(summed), list(variables))


def _sum(strategy, *gradients) -> list:
    """Adds up. (`ReplicaContext.all_reduce` does too, but searches the graph for gradients of its own for minutes.)"""
    return strategy.extended.batch_reduce_to(tf.distribute.ReduceOp.SUM, [(value, value) for value in gradients])


def _replica_id() -> int:
    return int(tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group))


def _local_id() -> int:
    return _replica_id() - workers.replicas()[0]
