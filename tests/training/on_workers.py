"""What each worker of `test_workers.py` computes, in a process of its own; without `TF_CONFIG` it is alone."""

import json
import os
import shutil
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tests.stages.conftest import save_teacher
from tests.training import on_devices
from tinybert_tf.errors import InputError
from tinybert_tf.training import cluster, devices, workers
from tinybert_tf.training.loop import train
from tinybert_tf.training.run_directory import RunDirectory

HELD_OUT = (10, 1)  # rows of the batches of evaluations: the second has none for the second worker


def run(build, folder):
    """Trains, or resumes; returns the weights."""
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(1)
    with devices.scope("1", on_devices.ROWS // 2):
        return _run(build, folder)


def _run(build, folder):
    model, variables, form, schedule, _ = build()
    if not workers.is_chief():
        variables[0].assign(variables[0] + 1.0)  # a worker that has begun elsewhere takes the chief's values

    def stream(position):
        step = position[0] if position else 0
        while True:
            yield form(on_devices.batch_of(on_devices.ROWS, [3, step])), (step + 1,)
            step += 1

    evaluate, held_out = devices.Evaluator(model), [form(on_devices.batch_of(rows, [4, rows])) for rows in HELD_OUT]
    directory = (RunDirectory if workers.is_chief() else workers.ReadOnlyRunDirectory)(folder, "finetune", {})
    with directory.start({}):
        train(model, variables, stream, directory, schedule, lambda: evaluate(held_out))
    return [np.asarray(variable) for variable in variables]


def dropping():
    return on_devices.fine_tuning(0.2)


def resumed(build, folder, beside):
    """Resumes a copy of a finished run from its second step."""
    if workers.is_chief():
        shutil.copytree(folder, beside)
        (beside / "checkpoints" / "step-000000003.safetensors").unlink()
    with devices.scope("1", on_devices.ROWS):
        workers.from_chief(None)
    return run(build, beside)


def logits():
    """Of batches of which every worker computes all rows."""
    model = on_devices.classifier()
    forward = devices.Forward(lambda inputs: model(inputs, training=False), on_devices.batch_of(1, 0)[0])
    return [forward(on_devices.batch_of(rows, [5, rows])[0]) for rows in HELD_OUT]


def refusal(*arguments):
    try:
        devices.scope(*arguments)
    except InputError as error:
        return str(error)


def main(environment, folder, only=()):
    """Does everything, or the runs named `only`; writes the weights to `NAME-INDEX.npz` and the rest to JSON."""
    os.environ.pop(cluster.VARIABLE, None)
    os.environ.update(environment)
    several = cluster.cluster()
    index, folder = several.index if several else 0, Path(folder)
    log = os.open(folder / f"log-{index}.txt", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    found = {"refusals": [refusal("1"), refusal("2", 10), refusal("1", 1)]}
    if not several:
        save_teacher(folder / "teacher", 1)
    for build in (on_devices.fine_tuning, on_devices.distillation, dropping):
        # A few steps of such models end sooner than their graphs are traced; one graph is enough.
        tf.config.run_functions_eagerly(build is not on_devices.fine_tuning or "three" in folder.name)
        if not only or build.__name__ in only:
            np.savez(folder / f"{build.__name__}-{index}", *run(build, folder / build.__name__))
    if not only:
        np.savez(folder / f"resumed-{index}", *resumed(dropping, folder / "dropping", folder / "resumed"))
        with devices.scope("1", on_devices.ROWS):
            np.savez(folder / f"logits-{index}", *logits())
            found["chief's"] = workers.from_chief({"worker": index, "text": "é", "number": 0.1})
            found["replicas"] = list(workers.replicas())
    times = os.times()
    print("seconds of the processor:", times.user + times.system)
    (folder / f"found-{index}.json").write_text(json.dumps(found), encoding="utf-8")
