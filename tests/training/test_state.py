"""Checkpoints: written whole or not at all, and restored bit for bit."""

import keras
import numpy as np
import pytest

from tinybert_tf.errors import InputError
from tinybert_tf.training.state import Checkpoints


def variables(seed=0):
    rng = np.random.default_rng(seed)
    return [
        keras.Variable(rng.normal(size=(3, 4)).astype("float32"), name="kernel"),
        keras.Variable(rng.normal(size=(4,)).astype("float32"), name="kernel"),  # names may repeat
        keras.Variable(np.int64(7 + seed), dtype="int64", name="iterations"),
        keras.Variable(np.array([1, 2], "uint32"), dtype="uint32", name="seed_generator_state"),
    ]


def test_what_was_saved_comes_back(tmp_path):
    Checkpoints(tmp_path, saved := variables(0)).save(12, {"position": [1, 2, 3]})
    other = variables(1)
    assert Checkpoints(tmp_path, other).restore() == (12, {"position": [1, 2, 3]})
    for ours, theirs in zip(other, saved):
        assert np.array_equal(ours.numpy(), theirs.numpy()) and ours.dtype == theirs.dtype


def test_the_last_two_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, variables())
    for step in (0, 5, 10, 1000):
        checkpoints.save(step, {})
    assert [file.name for file in sorted(tmp_path.iterdir())] == [
        "step-000000010.safetensors",
        "step-000001000.safetensors",
    ]
    assert checkpoints.restore()[0] == 1000


def test_without_a_checkpoint_there_is_nothing_to_restore(tmp_path):
    assert Checkpoints(tmp_path / "none", variables()).restore() is None


def test_a_write_that_was_cut_off_is_not_taken_for_a_checkpoint(tmp_path):
    checkpoints = Checkpoints(tmp_path, variables())
    checkpoints.save(5, {})
    (tmp_path / ".step-000000010.safetensors.partial").write_bytes(b"half")
    assert checkpoints.restore()[0] == 5


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, variables())
    checkpoints.save(5, {})

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save(10, {})
    assert [file.name for file in tmp_path.iterdir()] == ["step-000000005.safetensors"]


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    Checkpoints(tmp_path, variables()).save(5, {})
    with pytest.raises(InputError, match="of another model"):
        Checkpoints(tmp_path, variables()[:-1]).restore()


def test_a_damaged_checkpoint_is_one_line(tmp_path):
    checkpoints = Checkpoints(tmp_path, variables())
    checkpoints.save(5, {})
    file = next(tmp_path.iterdir())
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(InputError, match=r"output_dir: got .*step-000000005.safetensors") as error:
        checkpoints.restore()
    assert "\n" not in str(error.value)
