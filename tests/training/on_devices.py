"""What `test_devices.py` measures, in a process of its own: TensorFlow makes virtual CPU devices only when it starts.

It writes to a file, as JSON, the metrics of each run and how far its weights are from those of one device.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tests.conftest import PIECES, randomize
from tinybert_tf.configs import LossWeights
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier, BertEncoder
from tinybert_tf.training import devices
from tinybert_tf.training.loop import Schedule, train
from tinybert_tf.training.optimizer import bert_optimizer
from tinybert_tf.training.run_directory import RunDirectory

ROWS, RATE = 10, 0.01
EVALUATED = (10, 3)  # rows of the batches of evaluations: the second has none for the last of four devices


def batch_of(rows, seed):
    """Rows of 4 to 11 tokens, padded to the longest, and their classes."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(4, 12, rows)
    mask = (np.arange(lengths.max()) < lengths[:, None]).astype("int32")
    tokens = rng.integers(5, len(PIECES), mask.shape).astype("int32") * mask
    inputs = {"token_ids": tokens, "segment_ids": np.zeros_like(mask), "padding_mask": mask}
    return inputs, rng.integers(0, 3, rows).astype("int32")


def classifier(seed=0, dropout=0.0, hidden_dim=12):
    encoder = BertEncoder(len(PIECES), 1, 3, hidden_dim, 20, max_sequence_length=24, dropout=dropout)
    model = BertClassifier(encoder, ["a", "b", "c"])
    randomize(model, seed)
    return model


def fine_tuning(dropout=0.0):
    model = classifier(dropout=dropout)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(bert_optimizer(RATE, 3), loss, jit_compile=False)
    return model, model.variables, lambda batch: batch, Schedule(3, 2, 1, 3), ()


def distillation():
    """All losses, in a batch that is computed in two parts."""
    weights = LossWeights(embedding=1.0, hidden=1.0, attention=1.0, relation=1.0, prediction=1.0)
    model = TinyBertDistiller(classifier(1), classifier(2, hidden_dim=6), loss_weights=weights, relation_heads=3)
    for number, projection in enumerate(model.projections.values()):
        randomize(projection, number)
    model.compile(bert_optimizer(RATE, 2, gradient_accumulation_steps=2), jit_compile=False)
    schedule = Schedule(2, 2, 1, 2, gradient_accumulation_steps=2)
    return model, model.learned_variables, lambda batch: batch[0], schedule, EVALUATED


def run(build, number, folder):
    """Trains, or resumes; returns the metrics of all steps and evaluations, and the weights."""
    keras.backend.clear_session(free_memory=False)
    with devices.scope(str(number), ROWS // 2):
        keras.utils.set_random_seed(1)
        model, variables, form, schedule, evaluated = build()

        def stream(position):
            step = position[0] if position else 0
            while True:
                yield form(batch_of(ROWS, [3, step])), (step + 1,)
                step += 1

        evaluate, held_out = devices.Evaluator(model), [form(batch_of(rows, [4, rows])) for rows in evaluated]
        directory = RunDirectory(folder, "finetune", {"devices": number}, free=["devices"])
        with directory.start({}):
            train(model, variables, stream, directory, schedule, lambda: evaluate(held_out))
        weights = [np.asarray(variable) for variable in variables]
    lines = [
        {k: v for k, v in line.items() if k not in ("tokens_per_second", "input_wait")} for line in directory.metrics()
    ]
    return lines, weights


def resumed(build, number, folder, beside):
    """Resumes a copy of a finished run from its second step."""
    shutil.copytree(folder, beside)
    (beside / "checkpoints" / "step-000000003.safetensors").unlink()
    return run(build, number, beside)


def apart(these, those):
    return max(float(np.abs(a.astype("float64") - b).max()) for a, b in zip(these, those, strict=True))


def never_seen():
    """Share of the inputs that a dropout of one half hides from the same row on both of two devices."""
    with devices.scope("2", 2):
        keras.utils.set_random_seed(1)
        layers = [keras.layers.Dropout(0.5), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((1000,), name="padding_mask"), *layers])
        model.compile(bert_optimizer(RATE, 1, weight_decay=0.0), "mse", jit_compile=False)
        model.optimizer.build(model.trainable_variables)
        before, batch = layers[1].kernel.numpy(), (np.ones((2, 1000), "float32"), np.zeros(2, "float32"))
        devices.train_step(model, batch)(batch)
        return float((layers[1].kernel.numpy() == before).mean())


def predictions(number):
    """Logits of batches that four devices share unevenly."""
    with devices.scope(str(number)):
        model = classifier()
        forward = devices.Forward(lambda inputs: model(inputs, training=False), batch_of(1, 0)[0])
        return [forward(batch_of(rows, [5, rows])[0]) for rows in EVALUATED]


def refusal(*arguments):
    try:
        devices.chosen(*arguments)
    except InputError as error:
        return str(error)


def main(file):
    virtual = [tf.config.LogicalDeviceConfiguration() for _ in range(4)]
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], virtual)
    # Optimizing the graphs takes as long as tracing them; tiny models gain nothing from it.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    found = {"refusals": [refusal("5"), refusal("4", 3)], "all": devices.chosen("all"), "never_seen": never_seen()}
    found["predictions"] = apart(predictions(1), predictions(4))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for build in (fine_tuning, distillation):
            # A graph has a copy of the step for each device: this one is so large that a few steps end sooner without.
            tf.config.run_functions_eagerly(build is distillation)
            runs = {n: run(build, n, folder / f"{build.__name__}-{n}") for n in (1, 2, 4)}
            found[build.__name__] = {n: [lines, apart(weights, runs[1][1])] for n, (lines, weights) in runs.items()}
            if build is fine_tuning:
                lines, weights = resumed(build, 1, folder / "fine_tuning-2", folder / "other-number")
                found["other_number"] = [lines, apart(weights, runs[1][1])]
        dropped = run(lambda: fine_tuning(0.2), 2, folder / "dropped")
        again = resumed(lambda: fine_tuning(0.2), 2, folder / "dropped", folder / "same-number")
        found["same_number"] = [[lines for lines, _ in (dropped, again)], apart(dropped[1], again[1])]
    Path(file).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
