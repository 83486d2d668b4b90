"""ONNX in Hugging Face's layout: with ONNX Runtime and `tokenizers`, the files alone answer as the Keras model does."""

import json

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from tests.tolerance import assert_close
from tinybert_tf.data.examples import Examples
from tinybert_tf.exporters import onnx
from tinybert_tf.exporters.parity import Reference
from tinybert_tf.settings.stages import ExportConfig

TEXTS = ["a fine film", "It is dull, and the STORY is bad.", "", "[MASK] good films"]
PAIRS = ["the story", "", "good", "it is fine"]


def exported(classifier, folder, text_pairs=None):
    folder.mkdir()
    reference = Reference(classifier, None, Examples(TEXTS, text_pairs), 12)
    return onnx.export(reference, folder, ExportConfig(export_formats=("onnx",)))


def logits_of(folder, name, text_pairs=None):
    """As an application computes them: no file or module of ours besides the export."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding(pad_id=json.loads((folder / "config.json").read_text())["pad_token_id"])
    rows = tokenizer.encode_batch(TEXTS if text_pairs is None else list(zip(TEXTS, text_pairs)))
    session = onnxruntime.InferenceSession(str(folder / name), providers=["CPUExecutionProvider"])
    parts = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
    inputs = session.get_inputs()
    assert {node.type for node in inputs} == {"tensor(int64)"}
    (output,) = session.get_outputs()
    assert output.name == "logits" and output.type == "tensor(float)"
    feeds = {node.name: np.array([getattr(row, parts[node.name]) for row in rows], np.int64) for node in inputs}
    return session.run(None, feeds)[0], set(feeds)


def keras_logits(classifier, text_pairs=None):
    return np.asarray(classifier(classifier.tokenizer(TEXTS, text_pairs, sequence_length=12)))


def test_the_folder_answers_by_itself(make_classifier, tmp_path):
    classifier = make_classifier(labels=["bad", "good", "so so"], num_layers=1)
    classifier.multi_label = True
    found = exported(classifier, tmp_path / "export", PAIRS)
    assert list(found) == ["onnx/model.onnx", "onnx/model_quantized.onnx"]
    for text_pairs in (None, PAIRS):
        logits, inputs = logits_of(tmp_path / "export", "onnx/model.onnx", text_pairs)
        expected = keras_logits(classifier, text_pairs)
        assert inputs == {"input_ids", "attention_mask", "token_type_ids"}
        assert_close(logits, expected)
        rounded, _ = logits_of(tmp_path / "export", "onnx/model_quantized.onnx", text_pairs)
        assert 0 < np.abs(rounded - expected).max() < 0.1 * np.abs(expected).max()
    quantized = tmp_path / "export" / "onnx" / "model_quantized.onnx"
    assert found["onnx/model_quantized.onnx"]["size_bytes"] == quantized.stat().st_size
    config = json.loads((tmp_path / "export" / "config.json").read_text())
    expected = {"model_type": "bert", "architectures": ["BertForSequenceClassification"], "pad_token_id": 0}
    expected |= {"id2label": {"0": "bad", "1": "good", "2": "so so"}, "problem_type": "multi_label_classification"}
    assert {name: config[name] for name in expected} == expected
    settings = json.loads((tmp_path / "export" / "tokenizer_config.json").read_text())
    assert settings["tokenizer_class"] == "BertTokenizer" and settings["model_max_length"] == 12
    assert len(Tokenizer.from_file(str(tmp_path / "export" / "tokenizer.json")).encode("film " * 99).ids) == 12


def test_numbers_and_a_model_without_segments(make_classifier, tmp_path):
    shape = {"family": "distilbert", "num_segments": 0, "pooler_activation": "relu", "activation": "gelu"}
    classifier = make_classifier(labels=["score"], num_layers=1, **shape)
    exported(classifier, tmp_path / "export")
    logits, inputs = logits_of(tmp_path / "export", "onnx/model.onnx")
    expected = keras_logits(classifier)
    assert inputs == {"input_ids", "attention_mask"}
    assert_close(logits, expected)
