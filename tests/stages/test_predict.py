"""Predictions for texts that come in."""

import contextlib
import io
import json
import sys

import pytest

from tests.stages.conftest import ODD_LINES
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation.prediction import Predictor
from tinybert_tf.settings import stages as configs
from tinybert_tf.stages import predict


def test_predictions_are_one_object_per_line(runs, monkeypatch, eagerly):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a good film\na bad, dull one\n\n")))
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        predict.run(configs.PredictConfig(model=str(runs["finetune"].path)))
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [row["text"] for row in rows] == ["a good film", "a bad, dull one", ""]
    assert [row["label"] for row in rows[:2]] == ["good", "bad"]
    assert sum(rows[0]["probabilities"].values()) == pytest.approx(1, abs=1e-4)


def test_below_a_probability_there_is_no_label(plain_classifier, eagerly):
    def row(**options):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            predict.run(configs.PredictConfig(model=str(plain_classifier), text="a good film", **options))
        return json.loads(out.getvalue())

    plain = row()
    best = max(plain["probabilities"].values())
    assert row(abstain_below=best - 1e-3) == plain
    assert row(abstain_below=best + 1e-3) == plain | {"label": None}


def test_a_line_of_a_text_file_ends_with_a_newline_alone(runs, tmp_path, eagerly):
    (tmp_path / "texts.txt").write_text(f"{ODD_LINES}\n\na bad film\n", encoding="utf-8")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        predict.run(configs.PredictConfig(model=str(runs["finetune"].path), input_file=str(tmp_path / "texts.txt")))
    rows = [json.loads(line) for line in out.getvalue().removesuffix("\n").split("\n")]
    assert [row["text"] for row in rows] == [ODD_LINES, "", "a bad film"]


def test_a_file_is_read_in_batches_at_a_terminal_too(runs, tmp_path, monkeypatch, eagerly):
    (tmp_path / "texts.txt").write_text("a good film\na bad film\na dull film\n", encoding="utf-8")
    sizes, real = [], Predictor.logits
    monkeypatch.setattr(Predictor, "logits", lambda *args: sizes.append(len(args[1])) or real(*args))
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    model = str(runs["finetune"].path)
    with contextlib.redirect_stdout(io.StringIO()):
        predict.run(configs.PredictConfig(model=model, input_file=str(tmp_path / "texts.txt"), batch_size=2))
    assert sizes == [2, 1]


def test_an_empty_text_does_not_wait_for_standard_input(runs, monkeypatch, eagerly):
    monkeypatch.setattr(sys, "stdin", None)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        predict.run(configs.PredictConfig(model=str(runs["finetune"].path), text=""))
    assert json.loads(out.getvalue())["text"] == ""


def test_pairs_for_a_model_of_single_texts_and_the_reverse_are_refused(runs, tmp_path, eagerly):
    model = runs["finetune"].path
    with pytest.raises(InputError, match=r"text_pair: got pairs; expected texts alone, from which"):
        predict.run(configs.PredictConfig(model=str(model), text="a good film", text_pair="a bad film"))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model").symlink_to(model / "model")
    record = json.loads((model / "run.json").read_text())
    record["settings"] |= {"text_pair_column": "other"}
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    (tmp_path / "texts.csv").write_text("text,other\na good film,a bad film\n")
    options = {"model": str(tmp_path / "run"), "input_file": str(tmp_path / "texts.csv")}
    with pytest.raises(InputError, match=r"text_pair_column: got texts alone; expected pairs"):
        predict.run(configs.PredictConfig(**options))
    with contextlib.redirect_stdout(io.StringIO()):
        predict.run(configs.PredictConfig(text_pair_column="other", **options))
