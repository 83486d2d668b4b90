"""A student goes to an imitated hub, and comes back."""

import json
import re

import numpy as np
import pytest
from huggingface_hub import ModelCard
from tokenizers import Tokenizer

from tests.presets.hub_server import TOKEN, pretend
from tinybert_tf.errors import InputError
from tinybert_tf.exporters.hub_card import uploaded_files
from tinybert_tf.models import BertClassifier
from tinybert_tf.settings.stages import ExportConfig
from tinybert_tf.stages import export

TEXTS = ["a fine film", "dull", "It is FINE! [SEP]"]


@pytest.fixture
def uploaded(tmp_path, classifier_folder):
    (tmp_path / "dev.csv").write_text("text,label\n" + "a fine film,good\ndull,bad\nfine,neither\n" * 4)
    return ExportConfig(
        model=str(classifier_folder),
        train_file=str(tmp_path / "dev.csv"),
        dev_file=str(tmp_path / "dev.csv"),
        variants=("float32",),
        output_dir=str(tmp_path / "run"),
        push_to_hub="user/student",
        hub_licence="mit",
    )


def test_a_student_goes_to_the_hub_and_comes_back(uploaded, classifier_folder, tmp_path, monkeypatch):
    there = tmp_path / "there"
    with pretend({"user/student": there}, tmp_path / "cache", monkeypatch, TOKEN) as requests:
        run = export.run(uploaded)
        assert requests.index("/api/whoami-v2") < requests.index("/api/repos/create")
        again = export.run(uploaded)  # a finished run uploads again
        assert again.record["results"] == run.record["results"]
        student, back = BertClassifier.from_preset(classifier_folder), BertClassifier.from_preset("hf://user/student")
    names = {file.relative_to(there).as_posix() for file in there.rglob("*") if file.is_file()}
    assert names == {"README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} | {
        "vocab.txt", "student.tflite", "model_info.json"
    }  # fmt: skip
    tokens = student.tokenizer(TEXTS)
    np.testing.assert_array_equal(student(tokens), back(tokens))
    rows = Tokenizer.from_file(str(there / "tokenizer.json")).encode_batch(TEXTS)
    for row, ids, mask in zip(rows, *(np.asarray(tokens[name]) for name in ("token_ids", "padding_mask"))):
        assert row.ids == ids[mask.astype(bool)].tolist()

    card = ModelCard.load(there / "README.md")
    results = run.record["results"]["keras"]
    found = card.data.eval_results[0]
    assert found.metric_value == pytest.approx(results["metrics"]["accuracy"], abs=1e-6)
    assert (found.metric_type, found.dataset_split, card.data.license) == ("accuracy", "dev", "mit")
    low, high = (f"{100 * value:.2f}" for value in results["intervals"]["accuracy"])
    assert f"95 % interval: {low} to {high}" in card.text and "| student.tflite | float32 |" in card.text
    assert json.loads((there / "model_info.json").read_text())["labels"] == ["bad", "good", "neither"]


@pytest.mark.parametrize(
    ("name", "token", "reason"),
    [
        ("student", TOKEN, "without its user"),
        ("user/a b", TOKEN, "a b"),
        ("user/student", "hf_wrong", "Invalid user token"),
    ],
)
def test_what_the_hub_refuses_is_refused_before_any_work(uploaded, name, token, reason, tmp_path, monkeypatch):
    import dataclasses

    with pretend({}, tmp_path / "cache", monkeypatch, token), pytest.raises(InputError) as error:
        export.run(dataclasses.replace(uploaded, push_to_hub=name))
    assert error.value.argument == "push_to_hub" and re.search(reason, error.value.got)
    assert not (tmp_path / "run").exists()


def test_neither_folders_nor_the_file_of_a_page_are_uploaded():
    files = {"student.tflite": {}, "onnx/model.onnx": {}, "saved_model": {}, "web/student.tflite": {}}
    assert uploaded_files({"files": files}) == ["student.tflite", "onnx/model.onnx"]
    with pytest.raises(InputError, match=r"^push_to_hub: got .*; expected --export_formats with litert or onnx"):
        ExportConfig(push_to_hub="user/student", export_formats=("web", "saved_model"))
