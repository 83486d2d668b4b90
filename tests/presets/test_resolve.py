import time

import numpy as np
import pytest

from tests.conftest import PIECES, randomize
from tests.presets.folders import equal_outputs, same
from tests.tolerance import assert_close
from tinybert_tf import assets
from tinybert_tf.errors import InputError, naming
from tinybert_tf.models import BertClassifier, BertEncoder
from tinybert_tf.presets.resolve import open_preset

# Folders


def test_run_directory(encoder, tmp_path, batch):
    encoder.save_to_preset(tmp_path / "run" / "model")
    (tmp_path / "run" / "run.json").write_text("{}")
    (tmp_path / "run" / "config.json").write_text("not the model's")
    assert same(BertEncoder.from_preset(tmp_path / "run"), encoder, batch)
    assert open_preset(tmp_path / "run").folder == tmp_path / "run" / "model"


def test_home_and_relative_folders(encoder, tmp_path, batch, monkeypatch):
    encoder.save_to_preset(tmp_path / "models" / "mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("~/models/mine", "models/mine", "./models/mine", "models/mine/"):
        assert same(BertEncoder.from_preset(name), encoder, batch)


def write_nothing(path):
    path.mkdir()


def write_run(path):
    path.mkdir()
    (path / "run.json").write_text("{}")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (write_nothing, r"here, a folder without config.json; expected a model folder or a run directory"),
        (write_run, r"here, a run without a model yet; expected a run that has written its model/"),
        (lambda path: path.write_text(""), r"here, a file; expected a model folder or a run directory"),
        (lambda path: None, r"here', neither a folder nor a known name; expected a model folder, a run directory, hf:"),
    ],
)
def test_wrong_folder(tmp_path, write, message):
    write(tmp_path / "here")
    with pytest.raises(InputError, match=message) as caught, naming("student"):
        BertEncoder.from_preset(tmp_path / "here")
    assert caught.value.argument == "student" and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "alike"),
    [
        ("minilm_l7", "minilm_l6"),
        ("bert_base_uncased", "bert_base_en_uncased"),
        ("a/b", "minilm_l6"),
    ],
)
def test_unknown_name_suggests_known_ones(name, alike, no_network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(InputError, match=rf"neither a folder nor a known name; .* a name such as .*{alike}") as caught,
        naming("teacher"),
    ):
        BertClassifier.from_preset(name)
    assert len(str(caught.value)) < 300


def test_packaged_asset(encoder, folder, batch, monkeypatch):
    monkeypatch.setattr(assets, "fetch", lambda name: {"minilm_l6": folder}[name])
    assert same(BertEncoder.from_preset("minilm_l6"), encoder, batch)


@pytest.mark.assets
def test_real_packaged_asset():
    encoder = BertEncoder.from_preset("minilm_l6")
    assert (encoder.config.num_layers, encoder.config.hidden_dim, encoder.count_params()) == (6, 384, 22_713_216)
    a, b, c = encoder(encoder.tokenizer(["A fine film.", "A good movie.", "Taxes rise again."]))["pooled_output"]
    assert np.dot(a, b) > np.dot(a, c)


# keras-hub


def test_keras_hub_folder(hub_folder, backbone, batch):
    encoder = BertEncoder.from_preset(hub_folder)
    assert equal_outputs(encoder, backbone, batch)
    assert (encoder.config.activation, encoder.config.dropout) == ("gelu_new", 0.2)
    assert (encoder.tokenizer.vocabulary, encoder.tokenizer.lowercase) == (PIECES, False)
    assert encoder.tokenizer.sequence_length == 16


def test_keras_hub_folder_with_arguments(hub_folder, backbone, batch):
    encoder = BertEncoder.from_preset(hub_folder, dropout=0.0, dtype="mixed_bfloat16")
    assert encoder.config.dropout == 0.0 and encoder.compute_dtype == "bfloat16"
    assert not equal_outputs(BertEncoder.from_preset(hub_folder, load_weights=False), backbone, batch)


@pytest.mark.parametrize("shape", [{"num_layers": 3}, {"hidden_dim": 24}])
def test_keras_hub_weights_of_another_shape_are_refused(hub_folder, shape):
    with pytest.raises(InputError, match=r"^preset: got .*hub"):
        BertEncoder.from_preset(hub_folder, **shape)


def test_there_and_back(hub_folder, backbone, tmp_path, batch):
    import keras_hub

    BertEncoder.from_preset(hub_folder).save_to_preset(tmp_path / "ours")
    again = keras_hub.models.BertBackbone.from_preset(str(tmp_path / "ours"))
    assert_close(again(batch)["pooled_output"], backbone(batch)["pooled_output"])


def test_keras_hub_classifier(backbone, hub_tokenizer, tmp_path, batch):
    import keras_hub

    preprocessor = keras_hub.models.BertTextClassifierPreprocessor(hub_tokenizer, sequence_length=16)
    task = keras_hub.models.BertTextClassifier(backbone, num_classes=3, preprocessor=preprocessor, dropout=0.3)
    randomize(task.output_dense)
    task.save_to_preset(tmp_path / "task")
    classifier = BertClassifier.from_preset(tmp_path / "task")
    assert_close(classifier(batch), task(batch))
    assert (classifier.labels, classifier.dropout) == (["LABEL_0", "LABEL_1", "LABEL_2"], 0.3)
    assert classifier.tokenizer.vocabulary == PIECES
    assert open_preset(tmp_path / "task").is_classifier
    assert BertClassifier.from_preset(tmp_path / "task", labels=["a", "b"])(batch).shape == (3, 2)


def test_keras_hub_backbone_is_no_classifier(hub_folder):
    assert not open_preset(hub_folder).is_classifier
    with pytest.raises(InputError, match=r"hub, which has no classes; expected a fine-tuned classifier, or labels"):
        BertClassifier.from_preset(hub_folder)


def test_damaged_keras_hub_folder(hub_folder):
    (hub_folder / "model.weights.h5").write_bytes(b"no")
    with (
        pytest.raises(InputError, match=r"hub \(.*\); expected a preset that keras-hub can load as BertB") as caught,
        naming("teacher"),
    ):
        BertEncoder.from_preset(hub_folder)
    assert caught.value.argument == "teacher" and "\n" not in str(caught.value)


def test_another_keras_hub_model(tmp_path):
    import keras_hub

    keras_hub.models.DistilBertBackbone(30, 1, 2, 4, 8).save_to_preset(tmp_path / "hub")
    with pytest.raises(InputError, match=r"hub \(.*DistilBertBackbone.*\); expected a preset that keras-hub can"):
        BertEncoder.from_preset(tmp_path / "hub")


@pytest.mark.parametrize(
    "name", ["bert_base_en_uncased", "kaggle://keras/bert/keras/bert_base_en_uncased", "kaggle://nonsense", "ftp://a/b"]
)
def test_keras_hub_without_network(name, no_network, tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    start = time.perf_counter()
    with (
        pytest.raises(InputError, match=rf"{name} \(.*\); expected a preset that keras-hub can load") as caught,
        naming("teacher"),
    ):
        BertEncoder.from_preset(name)
    assert caught.value.argument == "teacher" and "\n" not in str(caught.value)
    assert time.perf_counter() - start < 10


def test_keras_hub_presets_keep_their_names(monkeypatch, backbone, hub_tokenizer, batch):
    """Names and handles reach keras-hub as they are."""
    import keras_hub

    names = []
    for cls, what in ((keras_hub.models.BertBackbone, backbone), (keras_hub.models.BertTokenizer, hub_tokenizer)):
        monkeypatch.setattr(cls, "from_preset", lambda name, what=what, **kwargs: names.append(name) or what)
    for name in ("bert_base_en_uncased", "kaggle://keras/bert/keras/bert_base_en_uncased/3"):
        assert equal_outputs(BertEncoder.from_preset(name), backbone, batch)
        assert names == [name, name]
        names.clear()
