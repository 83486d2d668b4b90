"""Several devices: the numbers of one, also where rows cannot be shared evenly; dropout and resuming."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tinybert_tf.errors import InputError
from tinybert_tf.settings.stages import FinetuneConfig

LOSSES = 1e-5  # relative
WEIGHTS = 1e-5  # absolute, after two or three steps of AdamW at a learning rate of 1e-2


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What `on_devices.py` measures on four virtual CPU devices."""
    file = tmp_path_factory.mktemp("devices") / "found.json"
    command = [sys.executable, "-m", "tests.training.on_devices", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], env=os.environ)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(file.read_text(encoding="utf-8"))


def assert_same(lines, expected):
    assert [list(line) for line in lines] == [list(line) for line in expected]
    for line, other in zip(lines, expected):
        assert line == pytest.approx(other, rel=LOSSES)


@pytest.mark.parametrize("number", ["2", "4"])
@pytest.mark.parametrize("run", ["fine_tuning", "distillation"])
def test_losses_evaluations_and_weights_are_those_of_one_device(found, run, number):
    """Ten rows of several lengths: 3, 3, 2 and 2 on four devices, and in distillation, in two parts, 2, 1, 1 and 1."""
    (lines, apart), (expected, _) = found[run][number], found[run]["1"]
    assert len([line for line in expected if "loss" in line]) == (2 if run == "distillation" else 3)
    assert len([line for line in expected if "held_out/loss" in line]) == (2 if run == "distillation" else 0)
    assert_same(lines, expected)
    assert apart <= WEIGHTS


def test_all_losses_are_compared(found):
    names = {name for line in found["distillation"]["1"][0] for name in line}
    losses = ("embedding", "hidden", "attention", "relation", "prediction")
    assert {f"{name}_loss" for name in losses} | {f"held_out/{name}_loss" for name in losses} <= names


def test_predictions_are_those_of_one_device(found):
    assert found["predictions"] <= 1e-6  # of logits of up to 2


def test_a_run_resumes_on_another_number_with_the_same_batches(found):
    lines, apart = found["other_number"]
    assert_same(lines, found["fine_tuning"]["1"][0])
    assert apart <= WEIGHTS


def test_a_run_with_dropout_resumes_bit_for_bit_on_the_same_number(found):
    (lines, again), apart = found["same_number"]
    assert again == lines
    assert apart == 0


def test_each_device_drops_other_neurons(found):
    assert found["never_seen"] == pytest.approx(0.25, abs=0.05)  # 0.5 if both dropped the same ones


def test_all_means_every_device(found):
    assert len(found["all"]) == 4


def test_too_many_devices_are_refused_in_one_line(found):
    assert found["refusals"] == [
        "devices: got 5; expected at most 4, because TensorFlow finds 4 CPU",
        "devices: got 4; expected at most 3, the sequences that are computed at a time",
    ]


@pytest.mark.parametrize("value", ["0", "-1", "abc", "1.5", ""])
def test_what_is_no_number_of_devices_is_refused(value):
    with pytest.raises(InputError) as error:
        FinetuneConfig(devices=value)
    assert str(error.value) == f"devices: got {value}; expected a number of 1 or more, or all"


def test_xla_compiles_for_one_device():
    with pytest.raises(InputError, match="jit_compile: got true, with --devices=2; expected one of the two"):
        FinetuneConfig(devices="2", jit_compile=True, deterministic=False)
