"""Google's own checkpoints of TensorFlow 1."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.presets.folders import same
from tests.presets.hub_server import pretend
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier, BertEncoder, BertMaskedLM

# Google's name of a parameter, for the end of Hugging Face's; a norm's are other ones.
PARAMETERS = {"weight": "kernel", "bias": "bias"}
NORM = {"weight": "gamma", "bias": "beta"}
HEADS = {
    "cls.predictions.bias": "cls/predictions/output_bias",
    "classifier.weight": "output_weights",
    "classifier.bias": "output_bias",
}


def google_name(name):
    if name in HEADS:
        return HEADS[name]
    *parts, parameter = name.split(".")
    if parts[-1].endswith("_embeddings"):
        return "/".join(parts)
    parameter = (NORM if parts[-1] == "LayerNorm" else PARAMETERS)[parameter]
    return "/".join([*parts, parameter]).replace("/layer/", "/layer_")


def to_google(folder, prefix="bert_model.ckpt", scope="", without=()):
    """Turns one of our folders into the form of Google's: other names, kernels the other way, an optimizer's slots."""
    import tensorflow as tf

    values = {"global_step": np.int64(7), f"{scope}cls/seq_relationship/output_bias": np.zeros(2, "float32")}
    for name, tensor in load_file(folder / "model.safetensors").items():
        theirs = google_name(name if name.startswith(("bert.", "cls.", "classifier.")) else f"bert.{name}")
        values[scope + theirs] = tensor.T if theirs.endswith("/kernel") else tensor
        values |= {f"{scope}{theirs}/{slot}": np.zeros_like(tensor) for slot in ("adam_m", "adam_v")}
    values = {name: tf.constant(value) for name, value in values.items() if name not in without}
    path = folder / prefix
    path.parent.mkdir(exist_ok=True)
    tf.raw_ops.SaveV2(
        prefix=str(path), tensor_names=list(values), shape_and_slices=[""] * len(values), tensors=list(values.values())
    )
    config = json.loads((folder / "config.json").read_text())
    ours = ("model_type", "architectures", "layer_norm_eps", "id2label", "label2id", "problem_type", "torch_dtype")
    (folder / "bert_config.json").write_text(json.dumps({k: v for k, v in config.items() if k not in ours}))
    for name in ("config.json", "model.safetensors"):
        (folder / name).unlink()


FORMS = {
    "as published": {},
    "in training": {"prefix": "model.ckpt-1234"},
    "from a hub module": {"prefix": "variables/variables", "scope": "module/"},
}


@pytest.mark.parametrize("form", FORMS)
def test_an_encoder(encoder, folder, batch, form):
    to_google(folder, **FORMS[form])
    assert same(BertEncoder.from_preset(folder), encoder, batch)


def test_a_masked_lm(make_encoder, batch, tmp_path):
    from tests.conftest import randomize

    model = BertMaskedLM(make_encoder())
    randomize(model, 3)
    model.save_to_preset(tmp_path / "model")
    to_google(tmp_path / "model", scope="module/")
    loaded = BertMaskedLM.from_preset(tmp_path / "model", new_head=False)
    assert same(loaded, model, batch | {"masked_positions": np.full((len(batch["token_ids"]), 1), 2)})


def test_a_classifier_has_labels_by_number(classifier_folder, batch):
    expected = BertClassifier.from_preset(classifier_folder)
    to_google(classifier_folder, prefix="model.ckpt-99")
    loaded = BertClassifier.from_preset(classifier_folder)
    assert loaded.labels == ["LABEL_0", "LABEL_1", "LABEL_2"] and same(loaded, expected, batch)


def test_several_checkpoints_are_refused(folder, tmp_path):
    to_google(folder, prefix="model.ckpt-5")
    for file in folder.glob("model.ckpt-5.*"):
        shutil.copy(file, folder / file.name.replace("-5.", "-10."))
    with pytest.raises(InputError, match=r"with 2 checkpoints \(model.ckpt-10, model.ckpt-5\); expected a folder with"):
        BertEncoder.from_preset(folder)


def test_a_missing_variable_is_named(folder):
    to_google(folder, without=["bert/encoder/layer_1/output/dense/bias"])
    with pytest.raises(InputError, match=r"without encoder.layer.1.output.dense.bias; expected every weight"):
        BertEncoder.from_preset(folder)


@pytest.mark.parametrize("damage", ["data", "index", "missing"])
def test_a_damaged_checkpoint_is_refused(folder, damage):
    to_google(folder)
    file = folder / ("bert_model.ckpt.index" if damage == "index" else "bert_model.ckpt.data-00000-of-00001")
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(InputError, match=r"bert_model.ckpt, which cannot be read \(.*\); expected") as caught:
        BertEncoder.from_preset(folder)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_tensorflow_2_is_refused(encoder, folder):
    import tensorflow as tf

    (folder / "model.safetensors").unlink()
    tf.train.Checkpoint(step=tf.Variable(1.0)).write(str(folder / "bert_model.ckpt"))
    with pytest.raises(InputError, match=r"bert_model.ckpt without any bert/…; expected a BERT's checkpoint"):
        BertEncoder.from_preset(folder)


def test_from_a_hub(encoder, folder, batch, tmp_path, monkeypatch):
    to_google(folder)
    with pretend({"google/bert": folder}, tmp_path / "cache", monkeypatch) as requests:
        assert same(BertEncoder.from_preset("hf://google/bert"), encoder, batch)
    assert any("bert_model.ckpt.data-00000-of-00001" in path for path in requests)
