"""The training loop of every stage: batches in, checkpoints and metrics out, resumable to the bit."""

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterable

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tinybert_tf.errors import InputError
from tinybert_tf.training import devices, workers
from tinybert_tf.training.prefetch import Prefetched
from tinybert_tf.training.run_directory import RunDirectory
from tinybert_tf.training.state import Checkpoints


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How long to train, and how often to save, log and evaluate, in optimizer steps.

    Args:
        max_steps: Number of all steps.
        save_steps: Steps between checkpoints; there is one after the last step too.
        log_steps: Steps between lines of mean losses; there is one after the last step too.
        eval_steps: Steps between evaluations; there is one before the first and one after the last step too.
        gradient_accumulation_steps: Number of parts into which a batch is cut; all parts together make one step.
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

    If the process dies at any moment, the same call resumes the run. The weights are then the same, bit for bit, as
    those of a run that never died, if the device computes deterministically.

    Several workers all call it. Only the chief reads and writes checkpoints, and all of them end with its weights.

    Args:
        model: A compiled and built model; each step is one `train_step` (or several, accumulated).
        variables: Every weight and random seed that training changes, for checkpoints; the optimizer's are added.
        stream: Function of a position (a list of integers, [] for the start) that yields (batch, position after it); a
            batch is what `train_step` takes, in NumPy.
        run: Run directory, for checkpoints, metrics and TensorBoard's events.
        schedule: How long to train, and how often to save, log and evaluate.
        evaluate: Function that returns held-out metrics of the current model.
        best_by: Name of a held-out metric. The model ends with the weights that had its highest value instead of the
            last ones. Of equals those of the lowest held-out `loss` win, or the first ones if it is not measured.
        start_counts: Whether the weights before the first step may be the best.
    """
    _Loop(model, variables, run, schedule, evaluate, best_by).run(stream, start_counts)


_MOST_LOST = 10  # steps in a row without a loss that is a number


class _Loop:
    """The state of `train`; takes its arguments."""

    def __init__(self, model, variables, run, schedule, evaluate, best_by):
        model.optimizer.build(model.trainable_variables)
        self.model, self.folder, self.schedule = model, run, schedule
        self.evaluate, self.best_by = evaluate, best_by
        self.checkpoints = Checkpoints(run.checkpoints, variables + model.optimizer.variables)
        # None on a worker that writes nothing.
        self.writer = tf.summary.create_file_writer(str(run.tensorboard)) if workers.is_chief() else None
        self.step, self.position, self.best, self.meter = 0, [], None, _Meter([])
        self.lost = 0  # steps in a row whose loss is no number

    def run(self, stream, start_counts: bool) -> None:
        if not self.restore():
            self.look_at_the_start(start_counts)
        self.meter = _Meter(self.meter.logs)  # its clock starts now
        update, total = _updater(self.model, self.schedule.gradient_accumulation_steps), self.schedule.max_steps
        progress = {"desc": self.folder.stage, "unit": "step", "dynamic_ncols": True, "disable": self.writer is None}
        # No more than there are steps: what is read beyond would count as read, in a run that never learned from it.
        wanted = itertools.islice(stream(self.position), total - self.step)
        with Prefetched(wanted) as batches, tqdm(total=total, initial=self.step, **progress) as bar:
            while self.step < total:
                batch, self.position = next(batches)
                logs = update(batch)
                self.meter.add(logs, batch, batches.seconds_waited)
                self.step += 1
                bar.update()
                self.check_loss(logs["loss"])
                self.after_step(bar)
        if self.writer:
            self.writer.close()
        if self.best:
            self.take(self.best[0])

    def restore(self) -> bool:
        """Restores the last checkpoint; returns whether there was one."""
        restored = self.take()
        if restored:
            self.step, state = restored
            self.position, self.best, self.meter = state["position"], state["best"], _Meter(state["logs"])
        self.folder.rewind(self.step if restored else -1)
        return bool(restored)

    def take(self, step: int | None = None) -> tuple[int, dict] | None:
        """Restores the chief's checkpoint on all workers; without one they take the chief's values as they are."""
        restored = workers.from_chief(self.checkpoints.restore(step) if workers.is_chief() else None)
        workers.assign_from_chief(list(self.checkpoints.variables.values()))
        return restored

    def look_at_the_start(self, start_counts: bool) -> None:
        """Evaluates the model before its first step: phase 2 begins with a head that works, which may be the best."""
        improved = self.look()
        if improved and start_counts:
            self.save()
        else:
            self.best = None

    def after_step(self, bar: tqdm) -> None:
        """Logs, evaluates and saves when each is due."""
        if self.due(self.schedule.log_steps):
            values = self.meter.flush() | {"learning_rate": _learning_rate(self.model, self.step)}
            bar.set_postfix_str(", ".join(f"{k} {v:.3g}" for k, v in values.items() if k.endswith("loss")))
            self.report(values)
        improved = self.due(self.schedule.eval_steps) and self.look()
        if improved or self.due(self.schedule.save_steps):
            self.save()

    def check_loss(self, loss: float) -> None:
        """Refuses to go on where several losses in a row are no finite numbers; a single one may be an overflow."""
        self.lost = 0 if np.isfinite(loss) else self.lost + 1
        if self.lost >= min(_MOST_LOST, self.schedule.max_steps):
            expected = "numbers: try a lower learning rate, or --dtype_policy=float32, in another --output_dir"
            raise InputError("loss", f"{loss} in {self.lost} steps in a row, up to step {self.step}", expected)

    def due(self, every: int) -> bool:
        """Returns whether something is due that is done every `every` steps, and after the last step."""
        return self.step == self.schedule.max_steps or self.step % every == 0

    def look(self) -> bool:
        """Evaluates the model; returns whether it is better than ever."""
        values = workers.from_chief({name: float(value) for name, value in self.evaluate().items()})
        self.report({f"held_out/{name}": value for name, value in values.items()})
        if self.best_by not in values:
            return False
        found = [values[self.best_by], *([-values["loss"]] if "loss" in values else [])]
        improved = self.best is None or found > self.best[1:]
        if improved:
            self.best = [self.step, *found]
        return improved

    def report(self, values: dict[str, float]) -> None:
        """Writes a line of metrics, to `metrics.jsonl` and for TensorBoard."""
        if self.writer is None:
            return
        self.folder.log(self.step, values)
        with self.writer.as_default(self.step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self.writer.flush()

    def save(self) -> None:
        """Writes a checkpoint; keeps the best one so far."""
        if self.writer is None:
            return
        state = {"position": list(self.position), "logs": self.meter.logs, "best": self.best}
        self.checkpoints.save(self.step, state, keep=self.best and self.best[0])


def _updater(model: keras.Model, parts: int) -> Callable[[tuple | dict], dict[str, float]]:
    """Returns the function that does one optimizer step and returns its logs.

    It computes the whole batch, or its parts one after another.
    """
    step = None

    def update(batch: tuple | dict) -> dict[str, float]:
        nonlocal step
        step = step or devices.train_step(model, batch)
        model.reset_metrics()  # they are means since the last reset: here over the parts of one batch
        for i in range(parts):
            logs = step(keras.tree.map_structure(lambda array, i=i: array[i::parts], batch))
        return {name: float(value) for name, value in logs.items()}

    return update


def _learning_rate(model, step: int) -> float:
    optimizer = model.optimizer
    while hasattr(optimizer, "inner_optimizer"):  # one wrapper scales the loss, another compresses
        optimizer = optimizer.inner_optimizer
    schedule = optimizer._learning_rate
    return float(schedule(step - 1)) if callable(schedule) else float(schedule)


class _Meter:
    """Means since the last line of metrics; `logs` holds the logs of each step since then."""

    def __init__(self, logs: list[dict[str, float]]):
        self.logs, self._tokens, self._waited, self._since = logs, 0, 0.0, time.perf_counter()

    def add(self, logs: dict, batch: tuple | dict, waited: float) -> None:
        batch = batch[0] if isinstance(batch, tuple) else batch
        self.logs.append(logs)
        self._tokens += int(batch["padding_mask"].sum())
        self._waited += waited

    def flush(self) -> dict[str, float]:
        now = time.perf_counter()
        values = {name: float(np.mean([log[name] for log in self.logs])) for name in self.logs[0]}
        values["tokens_per_second"] = round(self._tokens / (now - self._since), 1)
        values["input_wait"] = round(self._waited / (now - self._since), 4)  # share of the time
        self.logs, self._tokens, self._waited, self._since = [], 0, 0.0, now
        return values
