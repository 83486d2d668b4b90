"""`--stage=predict --runner=…`: the plain stage's answers, in shards."""

import contextlib
import io
import itertools
import json
import shutil
import sys
from pathlib import Path

import pytest

from tinybert_tf.data.tasks import load_task
from tinybert_tf.data.teacher_predictions import read_teacher_predictions
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation.text_answers import TextAnswers
from tinybert_tf.settings.stages import PredictConfig
from tinybert_tf.stages import predict


@pytest.fixture(scope="module")
def model(plain_model, tmp_path_factory):
    """The folder of a classifier that has learned nothing."""
    from tinybert_tf.models import BertClassifier, BertEncoder

    folder = tmp_path_factory.mktemp("model") / "classifier"
    BertClassifier(BertEncoder.from_preset(plain_model), ["bad", "good"]).save_to_preset(folder)
    return str(folder)


@pytest.fixture(scope="module")
def files(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("texts")
    for name, part in (("a", texts[:70]), ("b", texts[70:100])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in part))
    (folder / "all.txt").write_text("\n".join(texts[:100]))
    return folder


@pytest.fixture
def config(model, files, tmp_path):
    shards = {"runner": "DirectRunner", "num_shards": 4, "output_dir": str(tmp_path / "answers")}
    return {"model": model, "input_file": f"{files}/*.jsonl", "batch_size": 16} | shards


@pytest.fixture
def in_order(engine, monkeypatch):
    """The stage does its units in this process, without Beam."""
    monkeypatch.setattr(predict, "Engine", lambda runner, options: engine())


def rows_of(folder):
    files = sorted(folder.glob("predictions-*-of-00004.jsonl"))
    assert len(files) == 4 and all(file.stat().st_size for file in files)
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


@pytest.fixture(scope="module")
def plain(model, files):
    """The rows that the plain stage writes."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        predict.run(PredictConfig(model=model, input_file=str(files / "all.txt"), batch_size=16))
    return [json.loads(line) for line in out.getvalue().splitlines()]


def assert_same(rows, plain):
    assert [(list(row), row["text"], row["label"]) for row in rows] == [(list(r), r["text"], r["label"]) for r in plain]
    for row, other in zip(rows, plain):  # batches of other lengths round to another fifth decimal
        assert row["probabilities"] == pytest.approx(other["probabilities"], abs=1.5e-5)


def test_the_shards_hold_what_the_plain_stage_writes(config, plain, in_order):
    run = predict.run(PredictConfig(**config))
    assert_same(rows_of(run.path), plain)
    assert f"--teacher_predictions={run.path}" in predict.summary(run)
    assert predict.run(PredictConfig(**config)).was_finished


def test_a_killed_run_answers_the_shards_that_are_missing_with_another_runner(config, plain, engine, monkeypatch):
    first, second = engine(dies_at=3), engine()
    monkeypatch.setattr(predict, "Engine", lambda runner, options: first)
    with pytest.raises(KeyboardInterrupt):
        predict.run(PredictConfig(**config))
    monkeypatch.setattr(predict, "Engine", lambda runner, options: second)
    run = predict.run(PredictConfig(**config | {"runner": "SparkRunner"}))
    assert second.done == [("predict", 3)]
    assert_same(rows_of(run.path), plain)


def test_a_shard_half_written_is_answered_again(config, plain, in_order, monkeypatch):
    class Killed(list):
        def __iter__(self):
            yield self[0]
            raise KeyboardInterrupt

    lines, calls = TextAnswers.lines, itertools.count()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(TextAnswers, "lines", lambda *texts: (list, Killed)[next(calls) == 2](lines(*texts)))
        predict.run(PredictConfig(**config))
    folder = Path(config["output_dir"])
    assert len(list(folder.glob("predictions-*"))) == 2
    (folder / ".predictions-00003-of-00004.jsonl.another.7.partial").write_text("half")  # of another machine
    assert_same(rows_of(predict.run(PredictConfig(**config)).path), plain)
    assert not list(folder.glob(".*.partial"))


@pytest.mark.parametrize("bad", [b"\xff" * 700, b'"}\n{"text": ' + b" " * 700 + b"\n"], ids=["bytes", "JSON"])
def test_a_mended_file_is_cut_anew(config, files, plain, tmp_path, in_order, bad):
    """The file gets shorter, so the shards that were finished would end elsewhere."""
    for name in ("a", "b"):
        shutil.copy(files / f"{name}.jsonl", tmp_path)
    file, whole = tmp_path / "a.jsonl", (tmp_path / "a.jsonl").read_bytes()
    place = whole.index(b"\n", 7 * len(whole) // 8) - 3
    file.write_bytes(whole[:place] + bad + whole[place:])
    config |= {"input_file": f"{tmp_path}/*.jsonl"}
    with pytest.raises(InputError, match=r"^input_file: got from byte"):
        predict.run(PredictConfig(**config))
    assert len(list((tmp_path / "answers").glob("predictions-*"))) == 2
    file.write_bytes(whole)
    assert_same(rows_of(predict.run(PredictConfig(**config)).path), plain)


def test_beam_writes_the_same_shards(config, plain):
    pytest.importorskip("apache_beam")
    assert_same(rows_of(predict.run(PredictConfig(**config)).path), plain)


def test_a_folder_of_shards_is_one_teacher(config, plain, texts, tmp_path, in_order):
    folder = predict.run(PredictConfig(**config)).path
    (tmp_path / "plain.jsonl").write_text("".join(json.dumps(row) + "\n" for row in plain))
    lines = [f"{text},{label}" for text, label in zip(texts[:100], ["good", "bad"] * 50)]
    (tmp_path / "train.csv").write_text("\n".join(["text,label", *lines]))
    task = load_task("", train_file=str(tmp_path / "train.csv"))

    def answers(*names):
        return read_teacher_predictions([str(name) for name in names], task, task.split("train"))

    shards, file = answers(folder), answers(tmp_path / "plain.jsonl")
    assert shards.keys() == file.keys() and len(shards) > 50
    assert all(shards[key] == pytest.approx(file[key], abs=1.5e-5) for key in file)
    other = [row | {"label": "good", "probabilities": {"bad": 0.1, "good": 0.9}} for row in plain]
    (tmp_path / "other.jsonl").write_text("".join(json.dumps(row) + "\n" for row in other))
    both = answers(folder, tmp_path / "other.jsonl")  # the folder counts once, not once per shard
    assert both.keys() == shards.keys()
    assert all(both[key] == pytest.approx((shards[key] + [0.1, 0.9]) / 2) for key in shards)
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "predictions-00002-of-00004.jsonl").unlink()
    with pytest.raises(InputError, match=r"copy without predictions-00002-of-00004\.jsonl; expected a finished run"):
        answers(tmp_path / "copy")
    (tmp_path / "copy" / "predictions-00002-of-00003.jsonl").touch()
    with pytest.raises(InputError, match=r"of several runs: -of-00003 and -of-00004; expected the shards of one run"):
        answers(tmp_path / "copy")
    with pytest.raises(InputError, match=r"teacher_predictions: got .* without predictions-….jsonl; expected a file"):
        answers(tmp_path)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"input_file": ""}, "input_file: got ; expected a file for the --runner to read"),
        ({"output_dir": ""}, "output_dir: got ; expected a folder with --runner"),
        ({"runner": ""}, "num_shards: got 4; expected a --runner that makes them"),
        ({"runner": "", "num_shards": 16}, "expected a folder with --runner, and none without it"),
        ({"devices": "2"}, "devices: got 2; expected 1"),
        ({"text": "a film", "input_file": ""}, "input_file: got ; expected a file for the --runner"),
    ],
)
def test_settings_that_do_not_fit_are_refused(config, changes, words):
    with pytest.raises(InputError) as raised:
        PredictConfig(**config | changes)
    assert words in str(raised.value)


def test_without_beam_one_line_names_the_extra(config, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(InputError, match=r"^runner: got 'DirectRunner' without apache_beam .* 'tinybert-tf\[scale\]'"):
        predict.run(PredictConfig(**config))
    assert not (tmp_path / "answers").exists()
