"""Every way in which a model folder can be wrong: one line that names argument, file, found and expected."""

import numpy as np
import pytest

from tests.conftest import PIECES
from tests.presets.folders import change_json, change_weights, renamed
from tinybert_tf.errors import InputError, naming
from tinybert_tf.models import BertClassifier, BertEncoder


def truncate(path, size):
    path.write_bytes(path.read_bytes()[:size])


DAMAGES = {
    "no config": (lambda f: (f / "config.json").unlink(), r"model, a folder without config.json; expected a model"),
    "no JSON": (lambda f: (f / "config.json").write_text("{"), r"config.json, which is not JSON \(.*\); expected a"),
    "no UTF-8": (
        lambda f: (f / "config.json").write_bytes(b"\xff{"),
        r"config.json, which is not JSON \(.*\); expected",
    ),
    "a list": (lambda f: (f / "config.json").write_text("[]"), r"config.json with a list; expected a JSON object"),
    "roberta": (
        lambda f: change_json(f / "config.json", model_type="roberta"),
        r"config.json with model_type 'roberta'; expected 'bert'",
    ),
    "an albert without its kind": (
        lambda f: change_json(f / "config.json", model_type=..., embedding_size=12),
        r"config.json without model_type, and with embedding_size; expected model_type 'bert'",
    ),
    "nothing known without its kind": (
        lambda f: (f / "config.json").write_text('{"n_embd": 12}'),
        r"config.json without model_type, and of an unknown kind; expected model_type 'bert'",
    ),
    "a list of kinds": (
        lambda f: change_json(f / "config.json", model_type=["bert"]),
        r"config.json with model_type \['bert'\]; expected 'bert'",
    ),
    "relative positions": (
        lambda f: change_json(f / "config.json", position_embedding_type="relative_key"),
        r"config.json with position_embedding_type 'relative_key'; expected 'absolute'",
    ),
    "decoder": (
        lambda f: change_json(f / "config.json", is_decoder=True),
        r"config.json with is_decoder True; expected False",
    ),
    "cross attention": (
        lambda f: change_json(f / "config.json", add_cross_attention=True),
        r"config.json with add_cross_attention True; expected False",
    ),
    "pruned heads": (
        lambda f: change_json(f / "config.json", pruned_heads={"0": [1]}),
        r"config.json with pruned_heads \{'0': \[1\]\}; expected \{\}",
    ),
    "quantized": (
        lambda f: change_json(f / "config.json", quantization_config={"load_in_8bit": True}),
        r"config.json with quantization_config .*; expected no such setting",
    ),
    "own code": (
        lambda f: change_json(f / "config.json", auto_map={"AutoModel": "modeling.Model"}),
        r"config.json with auto_map .*; expected no such setting",
    ),
    "narrow embeddings": (
        lambda f: change_json(f / "config.json", embedding_size=6),
        r"config.json with embedding_size 6; expected 12",
    ),
    "no size": (
        lambda f: change_json(f / "config.json", hidden_size=...),
        r"config.json with no hidden_size; expected a whole number above 0",
    ),
    "no number": (
        lambda f: change_json(f / "config.json", num_hidden_layers="two"),
        r"config.json with num_hidden_layers 'two'; expected a whole number above 0",
    ),
    "zero": (
        lambda f: change_json(f / "config.json", num_attention_heads=0),
        r"config.json with num_attention_heads 0; expected a whole number above 0",
    ),
    "heads": (
        lambda f: change_json(f / "config.json", num_attention_heads=5),
        r"config.json with hidden_size 12; expected a multiple of num_attention_heads 5",
    ),
    "activation": (
        lambda f: change_json(f / "config.json", hidden_act="mish2"),
        r"config.json with activation 'mish2'; expected one of gelu, ",
    ),
    "activation list": (
        lambda f: change_json(f / "config.json", hidden_act=["gelu"]),
        r"config.json with activation \['gelu'\]; expected one of gelu, ",
    ),
    "dropout": (
        lambda f: change_json(f / "config.json", hidden_dropout_prob=1.5),
        r"config.json with hidden_dropout_prob 1.5; expected a number from 0 to below 1",
    ),
    "no weights": (
        lambda f: (f / "model.safetensors").unlink(),
        r"model without weights; expected model.safetensors, pytorch_model.bin, or a TF1 checkpoint",
    ),
    "empty weights": (
        lambda f: truncate(f / "model.safetensors", 0),
        r"model.safetensors, which cannot be read \(.*\); e",
    ),
    "half the weights": (
        lambda f: truncate(f / "model.safetensors", 5000),
        r"model.safetensors, which cannot be read \(.*\); expected a safetensors file",
    ),
    "LFS pointer": (
        lambda f: (f / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        r"model.safetensors, which cannot be read \(.*\); expected a safetensors file",
    ),
    "weight missing": (
        lambda f: change_weights(f, renamed(("layer.1.output.dense.bias", "other"))),
        r"model without encoder.layer.1.output.dense.bias; expected every weight of the configured model",
    ),
    "more layers": (
        lambda f: change_json(f / "config.json", num_hidden_layers=3),
        r"model without encoder.layer.2.attention.self.query.weight; expected every weight",
    ),
    "wider": (
        lambda f: change_json(f / "config.json", intermediate_size=24),
        r"model.safetensors with encoder.layer.0.intermediate.dense.weight of shape \(20, 12\); expected \(24, 12\)",
    ),
    "integers": (
        lambda f: change_weights(f, lambda t: t | {"pooler.dense.bias": np.ones(12, "int8")}),
        r"model.safetensors with pooler.dense.bias of type I8; expected one of F64, F32, F16, BF16",
    ),
    "no vocabulary": (
        lambda f: (f / "vocab.txt").unlink(),
        r"model without vocab.txt; expected a WordPiece vocabulary",
    ),
    "binary vocabulary": (lambda f: (f / "vocab.txt").write_bytes(b"\xff\xfe\n" * 30), r"vocab.txt.*; expected"),
    "no special token": (
        lambda f: (f / "vocab.txt").write_text("\n".join(PIECES).replace("[SEP]", "sep")),
        r"vocab.txt.*\[SEP\]; expected",
    ),
    "vocabulary too long": (
        lambda f: (f / "vocab.txt").write_text("\n".join([*PIECES, "more"])),
        r"a vocabulary of 31 pieces in .*model; expected 30, the vocab_size of its config.json",
    ),
    "embedding rows": (
        lambda f: change_weights(f, lambda t: t | {"embeddings.word_embeddings.weight": np.ones((29, 12), "float32")}),
        r"with embeddings.word_embeddings.weight of shape \(29, 12\); expected \(30, 12\), as config.json says",
    ),
    "tokenizer config": (
        lambda f: (f / "tokenizer_config.json").write_text("no"),
        r"tokenizer_config.json, which is not JSON",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_folder(folder, damage):
    harm, message = DAMAGES[damage]
    harm(folder)
    with pytest.raises(InputError, match=message) as caught, naming("teacher"):
        BertEncoder.from_preset(folder)
    assert caught.value.argument == "teacher" and str(folder) in str(caught.value)
    assert str(caught.value).startswith("teacher: got ") and "\n" not in str(caught.value)


CLASSIFIER_DAMAGES = {
    "labels": (
        lambda f: change_json(f / "config.json", id2label={"0": "bad", "1": "good"}),
        r"config.json with id2label \{.*\}; expected 3 labels from 0, each once",
    ),
    "label numbers": (
        lambda f: change_json(f / "config.json", id2label={"1": "bad", "2": "good", "3": "neither"}),
        r"config.json with id2label \{.*\}; expected 3 labels",
    ),
    "the same label twice": (
        lambda f: change_json(f / "config.json", id2label={"0": "bad", "1": "good", "2": "bad"}),
        r"config.json with id2label \{.*\}; expected 3 labels from 0, each once",
    ),
    "several numbers": (
        lambda f: change_json(f / "config.json", problem_type="regression"),
        r"config.json with problem_type 'regression' and 3 labels; expected a classifier",
    ),
    "no head": (
        lambda f: change_weights(f, renamed(("classifier", "other"))),
        r"without classifier.weight; expected a BertForSequenceClassification, or labels for a new head",
    ),
    "another head": (
        lambda f: change_json(f / "config.json", architectures=["BertForTokenClassification"]),
        r"a BertForTokenClassification with classifier.weight; expected a BertForSequenceClassification",
    ),
    "no pooler": (
        lambda f: change_weights(f, renamed(("pooler", "other"))),
        r"without pooler.dense.weight; expected a classifier's pooler",
    ),
    "no bias": (
        lambda f: change_weights(f, renamed(("classifier.bias", "other"))),
        r"classifier without classifier.bias; expected every weight",
    ),
}


@pytest.mark.parametrize("damage", CLASSIFIER_DAMAGES)
def test_damaged_classifier(classifier_folder, damage):
    harm, message = CLASSIFIER_DAMAGES[damage]
    harm(classifier_folder)
    with pytest.raises(InputError, match=message) as caught, naming("teacher"):
        BertClassifier.from_preset(classifier_folder)
    assert caught.value.argument == "teacher" and "\n" not in str(caught.value)


def test_an_encoder_is_no_classifier(folder):
    with pytest.raises(InputError, match=r"a BertModel without classifier.weight; expected a BertForSequence"):
        BertClassifier.from_preset(folder)
