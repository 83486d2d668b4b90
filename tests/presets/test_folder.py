import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.conftest import PIECES
from tests.presets.folders import FILES, change_json, change_weights, renamed, same
from tests.reference import bert_numpy
from tests.tolerance import assert_close
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier, BertEncoder


def test_round_trip(encoder, tmp_path, batch):
    folder = tmp_path / "model"
    encoder.save_to_preset(folder)
    assert {file.name for file in folder.iterdir()} == FILES
    loaded = BertEncoder.from_preset(str(folder))
    assert same(loaded, encoder, batch)
    assert loaded.config == encoder.config
    assert loaded.tokenizer.get_config() == encoder.tokenizer.get_config()


def test_names_and_layout_are_hugging_faces(folder):
    tensors = load_file(folder / "model.safetensors")
    assert len(tensors) == 5 + 2 * 16 + 2
    assert tensors["encoder.layer.1.intermediate.dense.weight"].shape == (20, 12)
    assert tensors["embeddings.word_embeddings.weight"].shape == (len(PIECES), 12)
    assert {value.dtype.name for value in tensors.values()} == {"float32"}


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: {f"bert.{name}": value for name, value in tensors.items()},
        renamed(("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")),
        lambda tensors: (
            tensors | {"embeddings.position_ids": np.arange(24)[None], "cls.predictions.bias": np.ones(5, "float32")}
        ),
        lambda tensors: renamed(("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta"))(
            {f"bert.{name}": value for name, value in tensors.items()}
        ),
    ],
    ids=["prefix", "gamma_beta", "extra_tensors", "prefix_and_gamma_beta"],
)
def test_other_namings(encoder, folder, batch, change):
    change_weights(folder, change)
    assert same(BertEncoder.from_preset(folder), encoder, batch)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_other_float_types(encoder, folder, batch, dtype):
    import ml_dtypes

    kind = getattr(ml_dtypes, dtype, None) or np.dtype(dtype)
    change_weights(folder, lambda tensors: {name: value.astype(kind) for name, value in tensors.items()})
    loaded = BertEncoder.from_preset(folder)
    assert {v.dtype for v in loaded.weights if "seed" not in v.path} == {"float32"}
    expected = bert_numpy.forward(folder, **batch)["pooled_output"]
    assert_close(loaded(batch)["pooled_output"], expected)
    assert same(loaded, encoder, batch) == (dtype == "float64")


def test_shards(encoder, folder, batch):
    tensors = load_file(folder / "model.safetensors")
    files = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(tensors)}
    for file in set(files.values()):
        save_file({name: tensors[name] for name in tensors if files[name] == file}, folder / file)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    assert same(BertEncoder.from_preset(folder), encoder, batch)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(InputError, match=r"no file .*/model-00002-of-00002.safetensors; expected"):
        BertEncoder.from_preset(folder)


def test_shard_index_without_a_map(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(InputError, match=r"index.json without weight_map; expected"):
        BertEncoder.from_preset(folder)


def test_missing_pooler_stays_random(encoder, folder, batch):
    change_weights(folder, lambda tensors: {n: v for n, v in tensors.items() if not n.startswith("pooler")})
    loaded = BertEncoder.from_preset(folder)
    np.testing.assert_array_equal(loaded(batch)["sequence_output"], encoder(batch)["sequence_output"])
    assert not np.array_equal(loaded.pooler.kernel, encoder.pooler.kernel)


def test_half_a_pooler(folder):
    change_weights(folder, lambda tensors: {n: v for n, v in tensors.items() if n != "pooler.dense.bias"})
    with pytest.raises(InputError, match=r"without pooler.dense.bias"):
        BertEncoder.from_preset(folder)


def test_arguments_go_before_the_folder(encoder, folder, batch):
    loaded = BertEncoder.from_preset(folder, dropout=0.5, dtype="mixed_bfloat16", name="teacher")
    assert (loaded.config.dropout, loaded.compute_dtype, loaded.name) == (0.5, "bfloat16", "teacher")
    np.testing.assert_array_equal(loaded.pooler.kernel, encoder.pooler.kernel)


def test_without_weights(encoder, folder, batch):
    (folder / "model.safetensors").unlink()
    loaded = BertEncoder.from_preset(folder, load_weights=False)
    assert loaded.config == encoder.config and not same(loaded, encoder, batch)


def test_defaults_of_a_short_config(encoder, folder):
    gone = ("type_vocab_size", "hidden_act", "hidden_dropout_prob", "layer_norm_eps", "model_type", "pad_token_id")
    change_json(folder / "config.json", **dict.fromkeys(gone, ...))
    config = BertEncoder.from_preset(folder).config
    assert (config.activation, config.dropout, config.layer_norm_epsilon) == ("gelu", 0.1, 1e-12)


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_attention_may_have_another_dropout(make_encoder, tmp_path, family):
    key = {"bert": "attention_probs_dropout_prob", "distilbert": "attention_dropout"}[family]
    own = {"num_segments": 0, "pooler_activation": "relu"} if family == "distilbert" else {}
    make_encoder(family=family, attention_dropout=0.3, **own).save_to_preset(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())[key] == 0.3

    loaded = BertEncoder.from_preset(tmp_path)
    assert (loaded.config.dropout, loaded.config.attention_dropout) == (0.1, 0.3)
    assert {block.attention.dropout for block in loaded.blocks} == {0.3}
    assert {block.dropout_layer.rate for block in loaded.blocks} == {0.1}

    asked = BertEncoder.from_preset(tmp_path, dropout=0.2)  # one rate that is asked for is every layer's
    assert {block.attention.dropout for block in asked.blocks} == {0.2}
    change_json(tmp_path / "config.json", **{key: 1.0})
    with pytest.raises(InputError, match=f"with {key} 1.0; expected a number from 0 to below 1"):
        BertEncoder.from_preset(tmp_path)


def test_tokenizer_settings(folder):
    (folder / "tokenizer_config.json").unlink()
    tokenizer = BertEncoder.from_preset(folder).tokenizer
    assert (tokenizer.lowercase, tokenizer.sequence_length) == (True, 24)
    for written, read in ((20, 20), (512, 24), (10**30, 24), (None, 24)):
        settings = {"do_lower_case": False, "model_max_length": written}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
        tokenizer = BertEncoder.from_preset(folder).tokenizer
        assert (tokenizer.lowercase, tokenizer.sequence_length) == (False, read)


@pytest.mark.parametrize("lowercase", [True, False])
def test_vocabulary_in_tokenizer_json(folder, lowercase):
    """What transformers 5 writes: no vocab.txt."""
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer_config.json").unlink()
    model = {"type": "WordPiece", "vocab": {piece: i for i, piece in reversed(list(enumerate(PIECES)))}}
    content = {"model": model, "normalizer": {"type": "BertNormalizer", "lowercase": lowercase}}
    (folder / "tokenizer.json").write_text(json.dumps(content))
    tokenizer = BertEncoder.from_preset(folder).tokenizer
    assert (tokenizer.vocabulary, tokenizer.lowercase) == (PIECES, lowercase)


def test_tokenizer_json_of_another_kind(folder):
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": "BPE", "vocab": {"a": 0}}}))
    with pytest.raises(InputError, match=r"tokenizer.json with a BPE model; expected a WordPiece vocabulary"):
        BertEncoder.from_preset(folder)


def test_classifier_round_trip(make_classifier, classifier_folder, batch):
    classifier = make_classifier(labels=["bad", "good", "neither"])
    assert BertClassifier.from_preset(classifier_folder, dropout=0.0).dropout == 0.0
    loaded = BertClassifier.from_preset(classifier_folder)
    assert (loaded.labels, loaded.dropout, loaded.config.dropout) == (["bad", "good", "neither"], 0.4, 0.1)
    assert loaded.tokenizer.vocabulary == PIECES
    assert same(loaded, classifier, batch)
    assert_close(loaded(batch), bert_numpy.forward(classifier_folder, **batch)["logits"])
    assert same(BertEncoder.from_preset(classifier_folder), classifier.encoder, batch)


def test_new_head(make_classifier, classifier_folder, batch):
    loaded = BertClassifier.from_preset(classifier_folder, labels=["yes", "no"], dropout=0.0)
    assert (loaded.labels, loaded(batch).shape, loaded.config.dropout) == (["yes", "no"], (3, 2), 0.0)
    assert same(loaded.encoder, make_classifier().encoder, batch)


def test_labels_that_transformers_leaves_out(classifier_folder):
    change_json(classifier_folder / "config.json", id2label=..., label2id=...)
    assert BertClassifier.from_preset(classifier_folder).labels == ["LABEL_0", "LABEL_1", "LABEL_2"]


def test_regression(make_classifier, tmp_path):
    make_classifier(labels=["score"]).save_to_preset(tmp_path / "model")
    assert json.loads((tmp_path / "model" / "config.json").read_text())["problem_type"] == "regression"
    assert BertClassifier.from_preset(tmp_path / "model").labels == ["score"]


def test_several_labels_per_text_go_in_and_out(classifier_folder, tmp_path):
    assert not BertClassifier.from_preset(classifier_folder).multi_label
    change_json(classifier_folder / "config.json", problem_type="multi_label_classification")
    classifier = BertClassifier.from_preset(classifier_folder)
    assert classifier.multi_label and classifier.labels == ["bad", "good", "neither"]
    classifier.save_to_preset(tmp_path / "again")
    content = json.loads((tmp_path / "again" / "config.json").read_text())
    assert content["problem_type"] == "multi_label_classification"
    assert BertClassifier.from_preset(tmp_path / "again").multi_label
    assert not BertClassifier.from_preset(classifier_folder, labels=["a", "b"]).multi_label
    assert BertClassifier.from_preset(classifier_folder, labels=["a", "b"], multi_label=True).multi_label


@pytest.mark.parametrize(
    "change",
    [{"classifier_dropout": 1.5}, {"classifier_dropout": "x"}, {"architectures": 5}, {"architectures": "BertModel"}],
)
def test_a_setting_of_a_folder_that_is_none_is_one_line(make_classifier, tmp_path, change):
    make_classifier().save_to_preset(tmp_path)
    change_json(tmp_path / "config.json", **change)
    ((key, value),) = change.items()
    with pytest.raises(InputError, match=f"^preset: got .*config.json with {key} {value!r}; expected a"):
        BertClassifier.from_preset(tmp_path)
