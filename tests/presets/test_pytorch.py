"""`pytorch_model.bin` is read without PyTorch."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.presets import torch_files
from tests.presets.folders import same
from tests.presets.torch_files import ROW, state_dict, storage, tensor
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier, BertEncoder
from tinybert_tf.presets.formats import pytorch
from tinybert_tf.presets.tensors import Tensors

GOLDEN = Path(__file__).parents[1] / "golden"


def to_bin(folder, old=False):
    """Turns a folder's weights into a pytorch_model.bin."""
    torch_files.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin", old)
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize("old", [False, True], ids=["zip", "stream"])
def test_weights_in_both_forms(encoder, folder, batch, old):
    to_bin(folder, old)
    assert same(BertEncoder.from_preset(folder), encoder, batch)


def test_a_classifier_with_its_head(classifier_folder, batch):
    expected = BertClassifier.from_preset(classifier_folder)
    to_bin(classifier_folder)
    loaded = BertClassifier.from_preset(classifier_folder)
    assert loaded.labels == expected.labels and same(loaded, expected, batch)


def test_safetensors_go_first(encoder, folder, batch):
    (folder / "pytorch_model.bin").write_bytes(b"never to be read")
    assert same(BertEncoder.from_preset(folder), encoder, batch)


def test_shards(encoder, folder, batch):
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    files = {name: f"pytorch_model-0000{1 + i % 2}-of-00002.bin" for i, name in enumerate(tensors)}
    for file in set(files.values()):
        torch_files.save({name: tensors[name] for name in tensors if files[name] == file}, folder / file)
    named = {name: f"../elsewhere/{file}" for name, file in files.items()}  # only the last part counts
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": named}))
    assert same(BertEncoder.from_preset(folder), encoder, batch)
    (folder / "pytorch_model-00002-of-00002.bin").unlink()
    with pytest.raises(InputError, match=r"no file .*/pytorch_model-00002-of-00002.bin; expected every shard"):
        BertEncoder.from_preset(folder)


@pytest.mark.parametrize("form", ["zip", "stream"])
def test_what_pytorch_itself_wrote(tmp_path, form):
    shutil.copy(GOLDEN / f"torch_{form}.bin", tmp_path / "pytorch_model.bin")
    np.testing.assert_array_equal(Tensors(tmp_path).read("a", (3, 2)), ROW.reshape(2, 3).T)


@pytest.mark.parametrize("old", [False, True], ids=["zip", "stream"])
def test_types_and_views(tmp_path, old):
    import ml_dtypes

    arrays = {name: ROW.astype(getattr(ml_dtypes, name, name)) for name in torch_files.STORAGES}
    torch_files.save(arrays, tmp_path / "pytorch_model.bin", old)
    found = Tensors(tmp_path)
    for name in ("float64", "float32", "float16", "bfloat16"):
        np.testing.assert_array_equal(found.read(name, (6,)), ROW)
    with pytest.raises(InputError, match="with int64 of type I64; expected one of F64"):
        found.read("int64", (6,))
    shared = storage("FloatStorage", "0", 6, old)
    items = [("part", tensor(shared, 1, (2,), (2,))), ("turned", tensor(shared, 0, (3, 2), (1, 3)))]
    items += [("scalar", tensor(shared, 5, (), ())), ("empty", tensor(shared, 6, (0, 3), (3, 1)))]
    items += [("parameter", torch_files.parameter(tensor(shared, 0, (6,), (1,))))]
    if old:
        torch_files.write_stream(tmp_path / "pytorch_model.bin", state_dict(items), {"0": ROW})
    else:
        torch_files.write_zip(tmp_path / "pytorch_model.bin", state_dict(items), {"0": ROW.tobytes()})
    found = Tensors(tmp_path)
    expected = {"part": ROW[1:5:2], "turned": ROW.reshape(2, 3).T, "scalar": ROW[5], "empty": ROW[:0].reshape(0, 3)}
    for name, value in (expected | {"parameter": ROW}).items():
        np.testing.assert_array_equal(found.read(name, value.shape), value)


def test_numbers_stay_in_the_file_until_they_are_read(tmp_path):
    """64 MB in the file; finding the tensors takes less than one."""
    import tracemalloc

    torch_files.save({"a": np.zeros(2**24, "float32")}, tmp_path / "pytorch_model.bin")
    tracemalloc.start()
    found = pytorch.find(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20 and found["a"].shape == (2**24,)
