"""The general TinyBERT of the paper's authors, in the form in which they published it."""

import json
import logging

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.presets import torch_files
from tests.presets.folders import same
from tests.presets.hub_server import pretend
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier, BertEncoder
from tinybert_tf.presets.resolve import open_preset

NAME = "huawei-noah/TinyBERT_General_4L_312D"
# Keys of their config.json besides the sizes; there is no model_type, and there are no architectures.
CONFIG = {"cell": {}, "emb_size": 12, "pre_trained": "", "structure": [], "training": ""}


def to_huawei(folder, many=True, norms=("weight", "bias")):
    """Turns one of our folders into theirs: the stream of an older PyTorch, heads, layers of their distillation."""
    rng, tensors = np.random.default_rng(0), {}
    for name, value in load_file(folder / "model.safetensors").items():
        if ".LayerNorm." in name:
            name = name.replace("weight", norms[0]).replace("bias", norms[1])
        tensors[f"bert.{name}"] = value
    heads = {"predictions.bias": (30,), "predictions.decoder.weight": (30, 12), "seq_relationship.weight": (2, 12)}
    shapes = {f"cls.{name}": shape for name, shape in heads.items()}
    for name in [f"fit_denses.{i}" for i in range(3)] if many else ["fit_dense"]:
        shapes |= {f"{name}.weight": (24, 12), f"{name}.bias": (24,)}
    tensors |= {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    torch_files.save(tensors, folder / "pytorch_model.bin", old=True)
    config = json.loads((folder / "config.json").read_text())
    ours = ("model_type", "architectures", "layer_norm_eps", "torch_dtype", "position_embedding_type", "pad_token_id")
    content = {key: value for key, value in config.items() if key not in ours} | CONFIG
    (folder / "config.json").write_text(json.dumps(content))
    for name in ("model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md"):
        (folder / name).unlink(missing_ok=True)
    assert {file.name for file in folder.iterdir()} == {"config.json", "pytorch_model.bin", "vocab.txt"}


@pytest.mark.parametrize("many", [True, False], ids=["fit_denses", "fit_dense"])
@pytest.mark.parametrize("norms", [("weight", "bias"), ("gamma", "beta")], ids=str)
def test_their_form_is_read(encoder, folder, batch, caplog, many, norms):
    to_huawei(folder, many, norms)
    with caplog.at_level(logging.INFO, "absl"):
        assert same(BertEncoder.from_preset(folder), encoder, batch)
    assert [record.getMessage() for record in caplog.records if "fit_dense" in record.getMessage()] == [
        f"{folder}: its fit_dense layers, which only its own distillation needed, are left out"
    ]
    assert not open_preset(folder).is_classifier
    with pytest.raises(InputError, match=r"without classifier.weight; expected a BertForSequenceClassification"):
        BertClassifier.from_preset(folder)


def test_their_student_starts_a_run(eagerly, make_encoder, tmp_path, monkeypatch):
    """`--student=hf://huawei-noah/TinyBERT_General_4L_312D`, from an imitated hub."""
    from tinybert_tf.settings.stages import GeneralConfig
    from tinybert_tf.stages import general

    make_encoder(seed=1).save_to_preset(tmp_path / "teacher")
    make_encoder(num_layers=1).save_to_preset(tmp_path / "student")
    to_huawei(tmp_path / "student")
    (tmp_path / "text.txt").write_text("\n\n".join(["a fine film and a good story .", "it is a dull play ."] * 20))
    with pretend({NAME: tmp_path / "student"}, tmp_path / "cache", monkeypatch):
        general.run(
            GeneralConfig(
                teacher=str(tmp_path / "teacher"),
                student=f"hf://{NAME}",
                corpus=(str(tmp_path / "text.txt"),),
                output_dir=str(tmp_path / "run"),
                max_steps=2,
                batch_size=4,
                sequence_length=16,
                eval_sequences=2,
                deterministic=False,
            )
        )
    assert BertEncoder.from_preset(tmp_path / "run").config.num_layers == 1
