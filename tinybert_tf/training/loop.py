"""The training loop of every stage: batches in, checkpoints and metrics out, resumable to the bit."""

import dataclasses
import time
from collections.abc import Callable, Iterable

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tinybert_tf.training.run_directory import RunDirectory
from tinybert_tf.training.state import Checkpoints


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How long to train and how often to do what, in optimizer updates.

    Args:
        max_steps: updates in all.
        save_steps: a checkpoint every so many, and after the last.
        log_steps: a line of mean losses every so many, and after the last.
        eval_steps: an evaluation every so many, before the first and after the last.
        gradient_accumulation_steps: parts that a batch is cut into, one update for all of them.
    """

    max_steps: int
    save_steps: int = 100
    log_steps: int = 10
    eval_steps: int = 100
    gradient_accumulation_steps: int = 1


def train(
    model: keras.Model,
    variables: list,
    stream: Callable[[list], Iterable[tuple]],
    run: RunDirectory,
    schedule: Schedule,
    evaluate: Callable[[], dict[str, float]],
    best_by: str | None = None,
    start_counts: bool = True,
) -> None:
    """Trains a compiled model from its last checkpoint, or from the start, to `max_steps`.

    A process that dies at any moment leaves a run that the same call goes on with: same weights, bit for bit, as
    one that never died, where the device computes deterministically.

    Args:
        model: compiled, and built; each update is one `train_step` (or several, accumulated).
        variables: what a checkpoint holds beside the optimizer's: every weight and random seed that training changes.
        stream: from a position (a list of integers, [] for the start) to (batch, position after it); a batch is what
            `train_step` takes, in NumPy.
        run: where checkpoints, metrics and TensorBoard's events go.
        schedule: see there.
        evaluate: returns held-out metrics; called with the model as it is.
        best_by: name of a held-out metric; the model ends with the weights that had the highest one, the first of
            equals, and not with the last ones.
        start_counts: whether the weights of the start may be the best.
    """
    model.optimizer.build(model.trainable_variables)
    checkpoints = Checkpoints(run.checkpoints, variables + model.optimizer.variables)
    restored = checkpoints.restore()
    step, state = restored or (0, {"position": [], "logs": [], "best": None})
    run.rewind(step if restored else -1)
    writer = tf.summary.create_file_writer(str(run.tensorboard))
    position, best = state["position"], state["best"]

    def report(step, values):
        run.log(step, values)
        with writer.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        writer.flush()

    def look(step, best):
        """Evaluates; returns what is the best now, and whether that is new."""
        values = evaluate()
        report(step, _named("held_out", values))
        improved = bool(best_by) and best_by in values and (best is None or values[best_by] > best[1])
        return ([step, float(values[best_by])] if improved else best), improved

    if not restored:
        start, improved = look(0, None)
        if improved and start_counts:  # phase 2 begins with a head that works
            best = start
            checkpoints.save(0, state | {"best": best})
    meter = _Meter(state["logs"])
    batches = iter(stream(position))
    update = _updater(model, schedule.gradient_accumulation_steps)
    with tqdm(total=schedule.max_steps, initial=step, desc=run.stage, unit="step", dynamic_ncols=True) as bar:
        while step < schedule.max_steps:
            batch, position = next(batches)
            logs = update(batch)
            meter.add(logs, batch)
            step += 1
            bar.update()
            last = step == schedule.max_steps
            if last or step % schedule.log_steps == 0:
                values = meter.flush() | {"learning_rate": _learning_rate(model, step)}
                bar.set_postfix_str(", ".join(f"{k} {v:.3g}" for k, v in values.items() if k.endswith("loss")))
                report(step, values)
            improved = False
            if last or step % schedule.eval_steps == 0:
                best, improved = look(step, best)
            if last or improved or step % schedule.save_steps == 0:
                state = {"position": list(position), "logs": meter.logs, "best": best}
                checkpoints.save(step, state, keep=best and best[0])
    writer.close()
    if best:
        checkpoints.restore(best[0])


def _updater(model: keras.Model, parts: int) -> Callable[[tuple | dict], dict[str, float]]:
    """Returns the function that does one optimizer update and returns its logs.

    The whole batch goes in, or its parts one after another. One graph serves every shape: were each length
    traced as it first comes, a run that goes on from a checkpoint would round otherwise than one never stopped.
    """
    step = None

    def update(batch: tuple | dict) -> dict[str, float]:
        nonlocal step
        if step is None:
            spec = keras.tree.map_structure(lambda array: tf.TensorSpec([None] * array.ndim, array.dtype), batch)
            step = tf.function(model.train_step, input_signature=[spec], jit_compile=model.jit_compile)
        model.reset_metrics()  # they are means over what has come since: here over the parts of one batch
        for i in range(parts):
            logs = step(keras.tree.map_structure(lambda array, i=i: tf.constant(array[i::parts]), batch))
        return {name: float(value) for name, value in logs.items()}

    return update


def _learning_rate(model, step: int) -> float:
    optimizer = model.optimizer
    while hasattr(optimizer, "inner_optimizer"):  # one scales the loss, another compresses
        optimizer = optimizer.inner_optimizer
    schedule = optimizer._learning_rate
    return float(schedule(step - 1)) if callable(schedule) else float(schedule)


def _named(prefix: str, values: dict) -> dict:
    return {f"{prefix}/{name}": float(value) for name, value in values.items()}


class _Meter:
    """Means since the last line of metrics; `logs` are those of the updates since then."""

    def __init__(self, logs: list[dict[str, float]]):
        self.logs, self._tokens, self._since = logs, 0, time.perf_counter()

    def add(self, logs: dict, batch: tuple | dict) -> None:
        batch = batch[0] if isinstance(batch, tuple) else batch
        self.logs.append(logs)
        self._tokens += int(batch["padding_mask"].sum())

    def flush(self) -> dict[str, float]:
        now = time.perf_counter()
        values = {name: float(np.mean([log[name] for log in self.logs])) for name in self.logs[0]}
        values["tokens_per_second"] = round(self._tokens / (now - self._since), 1)
        self.logs, self._tokens, self._since = [], 0, now
        return values
