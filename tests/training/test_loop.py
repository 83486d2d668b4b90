"""The loop: the best weights on dev survive a kill at any moment; batches may have any structure."""

import keras
import numpy as np
import pytest

from tinybert_tf.errors import InputError
from tinybert_tf.training import loop
from tinybert_tf.training.compression import CompressingOptimizer
from tinybert_tf.training.loop import Schedule, _learning_rate, train
from tinybert_tf.training.optimizer import bert_optimizer
from tinybert_tf.training.run_directory import RunDirectory

SCORES = [0.1, 0.3, 0.9, 0.9, 0.2]  # before training, then after each step


def stream(position):
    """Batches whose number is what the model learns; the model does nothing but remember them."""
    number = position[0] if position else 0
    while True:
        number += 1
        x = {"padding_mask": np.full([2, 3], number, "float32")}
        yield (x, np.full([2, 1], number, "float32")), (number,)


class Remember(keras.Model):
    """Its one weight is the number of the last batch."""

    def __init__(self):
        super().__init__(name="remember")
        self.last = self.add_weight(shape=(), initializer="zeros")
        self.built = True

    def train_step(self, data):
        x, y = data
        self.last.assign(keras.ops.mean(y))
        return {"loss": keras.ops.sum(x["padding_mask"])}


def run(path, scores, steps=4, losses=None, stream=stream, **kwargs):
    keras.backend.clear_session()  # names as in a new process
    model = Remember()
    model.compile("sgd")
    folder = RunDirectory(path, "finetune", {})
    with folder.start({}):
        evaluate = iter({"score": score} for score in scores)
        if losses:
            evaluate = iter({"score": score, "loss": loss} for score, loss in zip(scores, losses))
        schedule = Schedule(steps, save_steps=1, log_steps=1, eval_steps=1)
        train(model, [model.last], stream, folder, schedule, lambda: next(evaluate), "score", **kwargs)
    return float(model.last), folder


def test_the_model_ends_with_its_first_best_weights(tmp_path):
    last, folder = run(tmp_path, SCORES)
    assert last == 2.0
    assert [line["held_out/score"] for line in folder.metrics() if "held_out/score" in line] == SCORES


def test_a_killed_run_remembers_what_was_best(tmp_path):
    with pytest.raises(StopIteration):  # the evaluation after the last step dies
        run(tmp_path, SCORES[:-1])
    last, folder = run(tmp_path, SCORES[-1:])
    assert last == 2.0
    assert [line["held_out/score"] for line in folder.metrics() if "held_out/score" in line] == SCORES


def test_of_equals_the_lowest_loss_wins(tmp_path):
    assert run(tmp_path / "a", SCORES, losses=[5, 4, 3, 2, 1])[0] == 3.0
    assert run(tmp_path / "b", SCORES, losses=[5, 4, 2, 3, 1])[0] == 2.0
    assert run(tmp_path / "c", SCORES, losses=[5, 4, 2, 2, 1])[0] == 2.0


def test_a_killed_run_remembers_the_loss_of_the_best(tmp_path):
    with pytest.raises(StopIteration):
        run(tmp_path, SCORES[:3], losses=[5, 4, 3])
    assert run(tmp_path, SCORES[3:], losses=[2, 1])[0] == 3.0


def test_the_last_update_may_be_the_best(tmp_path):
    assert run(tmp_path, [0.0, 0.1, 0.2, 0.3, 0.4])[0] == 4.0


def test_the_start_may_be_the_best(tmp_path):
    assert run(tmp_path, [0.9, 0.1, 0.2, 0.3, 0.4])[0] == 0.0


def test_the_start_counts_for_nothing_where_it_is_random(tmp_path):
    assert run(tmp_path, [0.9, 0.1, 0.4, 0.3, 0.4], start_counts=False)[0] == 2.0


def test_no_batch_is_read_beyond_the_last_step(tmp_path):
    """A run that stopped before it was finished reads nothing when it is repeated."""
    read = []

    def counted(position):
        for batch, after in stream(position):
            read.append(after)
            yield batch, after

    for _ in range(2):
        run(tmp_path, SCORES, stream=counted)
    assert read == [(1,), (2,), (3,), (4,)]


def test_the_learning_rate_on_record_is_that_of_the_innermost_optimizer():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    inside = CompressingOptimizer(bert_optimizer(0.5, 10, 0.0), model, "int8", 0.0, 10)
    model.compile(keras.optimizers.LossScaleOptimizer(inside), "mse")
    assert _learning_rate(model, 1) == pytest.approx(0.5)


def test_a_loss_that_is_no_number_ends_the_run(tmp_path, monkeypatch):
    """Logarithms of falling numbers. One loss alone may be an overflow, of which half precision has some."""
    monkeypatch.setattr(loop, "_MOST_LOST", 2)
    monkeypatch.setattr(Remember, "train_step", lambda self, data: {"loss": keras.ops.log(2.5 - data[1][0, 0])})
    with pytest.raises(InputError, match=r"^loss: got nan in 2 steps in a row, up to step 4; expected numbers: try a"):
        run(tmp_path / "lost", [*SCORES, 0.1], steps=5)
    run(tmp_path / "overflow", SCORES[:4], steps=3)
