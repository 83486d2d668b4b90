"""`hf://user/name`, from an imitated hub."""

import json
import re
import shutil
import time

import pytest
from safetensors.numpy import load_file

from tests.presets import torch_files
from tests.presets.folders import equal_outputs, same
from tests.presets.hub_server import pretend
from tinybert_tf.errors import InputError, naming
from tinybert_tf.models import BertEncoder


@pytest.fixture
def hub(folder, hub_folder, tmp_path, monkeypatch):
    """An imitated hub that holds user/model, user/torch, user/sharded and user/keras; yields the requested paths."""
    for name in ("pytorch_model.bin", "modeling_bert.py", "tf_model.h5", "training_args.bin", "onnx/model.onnx"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"never to be fetched")
    torch = shutil.copytree(folder, tmp_path / "torch")
    torch_files.save(load_file(torch / "model.safetensors"), torch / "pytorch_model.bin", old=True)
    (torch / "model.safetensors").unlink()
    sharded = shutil.copytree(folder, tmp_path / "sharded")
    (sharded / "model.safetensors").rename(sharded / "model-00001-of-00001.safetensors")
    index = {"weight_map": {"any": "model-00001-of-00001.safetensors"}}
    (sharded / "model.safetensors.index.json").write_text(json.dumps(index))
    folders = {"user/model": folder, "user/torch": torch, "user/sharded": sharded, "user/keras": hub_folder}
    with pretend(folders, tmp_path / "cache", monkeypatch) as requests:
        yield requests


def fetched(requests):
    return {match[1] for path in requests if (match := re.search(r"/resolve/[^/]+/([^?]+)", path))}


@pytest.mark.parametrize("name", ["model", "sharded"])
def test_hub(hub, name, encoder, batch):
    assert same(BertEncoder.from_preset(f"hf://user/{name}"), encoder, batch)
    weights = "model.safetensors" if name == "model" else "model-00001-of-00001.safetensors"
    assert fetched(hub) >= {"config.json", "vocab.txt", "tokenizer_config.json", weights}
    assert all(file.endswith((".json", ".txt", ".safetensors")) for file in fetched(hub))
    before = len(fetched(hub))
    BertEncoder.from_preset(f"hf://user/{name}")
    assert len(fetched(hub)) == before


def test_hub_with_a_keras_preset(hub, backbone, batch):
    assert equal_outputs(BertEncoder.from_preset("hf://user/keras"), backbone, batch)
    assert fetched(hub) >= {"config.json", "model.weights.h5", "tokenizer.json", "assets/tokenizer/vocabulary.txt"}
    assert not any(file.endswith((".bin", ".py")) for file in fetched(hub))


def test_hub_with_weights_from_pytorch_only(hub, encoder, batch):
    assert same(BertEncoder.from_preset("hf://user/torch"), encoder, batch)
    assert {file for file in fetched(hub) if not file.endswith((".json", ".txt"))} == {"pytorch_model.bin"}


@pytest.mark.parametrize("name", ["user/none", "not a name", ""])
def test_hub_without_that_repository(hub, name):
    with (
        pytest.raises(InputError, match=rf"hf://{name} \(.*\); expected a repository that can be reached") as caught,
        naming("teacher"),
    ):
        BertEncoder.from_preset(f"hf://{name}")
    assert caught.value.argument == "teacher" and "\n" not in str(caught.value)


def test_hub_that_cannot_be_reached(no_network, tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    start = time.perf_counter()
    with pytest.raises(InputError, match=r"hf://user/model \(.*\); expected a repository that can be reached"):
        BertEncoder.from_preset("hf://user/model")
    assert time.perf_counter() - start < 10
