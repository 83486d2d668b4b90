"""`--stage=corpus`: with Beam where that is installed, and refused in one line where it is not."""

import dataclasses
import errno
import json
import os
import sys

import pytest

from tinybert_tf.data.records import RECORDS_FILE, Records
from tinybert_tf.data.text import Corpus
from tinybert_tf.errors import InputError
from tinybert_tf.scale.beam import Engine
from tinybert_tf.scale.corpus import Preparation
from tinybert_tf.settings.stages import CorpusConfig, MaskedLMConfig, VocabularyConfig
from tinybert_tf.stages import corpus, masked_lm, vocabulary
from tinybert_tf.stages.job import run_directory_of

TWO = "--direct_num_workers=2 --direct_running_mode=multi_processing"


@pytest.fixture
def config(sources, plain_model, tmp_path):
    return CorpusConfig(corpus=tuple(sources), teacher=plain_model, num_shards=3, output_dir=str(tmp_path / "records"))


@pytest.fixture
def in_order(engine, monkeypatch):
    """The stage does its units in this process, without Beam."""
    monkeypatch.setattr(corpus, "Engine", lambda runner, options: engine())


def changed(config, **changes):
    return dataclasses.replace(config, **changes)


def test_without_beam_one_line_names_the_extra(config, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(InputError, match=r"^runner: got 'DirectRunner' without apache_beam .* 'tinybert-tf\[scale\]'"):
        corpus.run(config)
    assert not (tmp_path / "records").exists()


def test_a_killed_run_resumes_with_another_runner(config, engine, monkeypatch):
    first, second, runners = engine(dies_at=5), engine(), []
    engines = iter((first, second))
    monkeypatch.setattr(corpus, "Engine", lambda *options: runners.append(options) or next(engines))
    with pytest.raises(KeyboardInterrupt):
        corpus.run(config)
    run = corpus.run(changed(config, runner="SparkRunner", pipeline_options="--x=1"))
    assert runners == [("DirectRunner", ""), ("SparkRunner", "--x=1")]
    assert first.done == [("read", 0), ("read", 1), ("read", 2), ("write", 0), ("write", 1)]
    assert second.done == [("write", 2)]
    assert run.record["settings"]["runner"] == "SparkRunner" and Records(run.path).shards


def test_a_finished_run_is_not_repeated_and_other_settings_are_refused(config, tmp_path, in_order):
    run = corpus.run(config)
    assert run.record["results"]["documents"] > 800 and "bad_lines" in run.record["results"]
    assert f"--corpus={run.path}" in corpus.summary(run)
    assert corpus.run(changed(config, runner="SparkRunner", pipeline_options="--x=1")).was_finished
    with pytest.raises(InputError, match=r"output_dir: got .*num_shards=3; expected num_shards=4"):
        corpus.run(changed(config, num_shards=4))
    with pytest.raises(InputError, match=r"corpus: got .* holds records already"):
        corpus.run(changed(config, corpus=(str(run.path),), output_dir=str(tmp_path / "again")))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(InputError, match=r"output_dir: got .* which holds other files"):
        corpus.run(changed(config, output_dir=str(tmp_path / "other")))


def test_an_empty_corpus_is_refused(config, tmp_path, in_order):
    (tmp_path / "empty.txt").touch()
    with pytest.raises(InputError, match=r"corpus: got .*empty\.txt without any text"):
        corpus.run(changed(config, corpus=(str(tmp_path / "empty.txt"),)))
    assert not (tmp_path / "records").exists()


@pytest.mark.usefixtures("eagerly", "in_order")
def test_a_stage_that_trains_reads_records(config, plain_model, tmp_path):
    records = str(corpus.run(config).path)
    options = {"corpus": (records,), "model": plain_model, "max_steps": 2, "batch_size": 4, "sequence_length": 16}
    options |= {"eval_sequences": 4, "deterministic": False}
    run = masked_lm.run(MaskedLMConfig(**options, output_dir=str(tmp_path / "run")))
    assert run.record["results"]["untrained"]["loss"] > 0
    with pytest.raises(InputError, match=r"corpus: got .* holds records; expected text"):
        vocabulary.run(VocabularyConfig(corpus=(records,), model=plain_model, output_dir=str(tmp_path / "cut")))


@pytest.mark.parametrize("options", ["", TWO])
def test_beam_writes_the_same_records(config, tokenizer, engine, tmp_path, options):
    pytest.importorskip("apache_beam")
    results = corpus.run(changed(config, pipeline_options=options)).record["results"]
    (tmp_path / "other").mkdir()
    Preparation(Corpus(config.corpus), tokenizer, tmp_path / "other", config.num_shards).run(engine(), {})
    ours, theirs = (tmp_path / name / RECORDS_FILE for name in ("records", "other"))
    assert ours.read_bytes() == theirs.read_bytes()  # with the checksums of all files
    assert results["tokens"] == json.loads(theirs.read_text())["tokens"]


@pytest.fixture
def three(config, tmp_path):
    """Settings for three files, of which the first has a line that is refused."""
    for i in range(3):
        lines = [json.dumps({"text": f"a {'fine ' * k}film {'of it ' * i}"}) for k in range(1, 40)]
        (tmp_path / f"{i}.jsonl").write_text("\n".join([*lines, '{"text": 3}'] if i == 0 else lines))
    return changed(config, corpus=(f"{tmp_path}/*.jsonl",), bad_lines="refuse")


def removed(file):
    file.unlink()


def mended(file):
    file.write_text(file.read_text().replace('{"text": 3}', '{"text": "a dull film"}'))


@pytest.mark.parametrize("mend", [removed, mended])
def test_parts_from_before_a_mend_are_not_kept(three, tmp_path, engine, monkeypatch, mend):
    engines = [engine(backwards=True), engine(), engine()]
    first, second, _ = engines
    queue = iter(engines)
    monkeypatch.setattr(corpus, "Engine", lambda runner, options: next(queue))
    with pytest.raises(InputError, match=r"0\.jsonl, line 40"):
        corpus.run(three)
    assert first.done == [("read", 2), ("read", 1)]
    mend(tmp_path / "0.jsonl")
    run = corpus.run(three)
    assert [unit for name, unit in second.done if name == "read"] == [0, 1, 2][: len(list(tmp_path.glob("*.jsonl")))]
    whole = corpus.run(changed(three, output_dir=str(tmp_path / "whole")))
    assert (run.path / RECORDS_FILE).read_bytes() == (whole.path / RECORDS_FILE).read_bytes()


def test_a_corpus_that_had_no_wordpiece_is_read_again_when_it_has_some(config, tmp_path, in_order):
    file = tmp_path / "text.txt"
    file.write_text("\n\n".join("\u200b" * i for i in range(1, 9)))
    config = changed(config, corpus=(str(file),))
    for _ in range(2):
        with pytest.raises(InputError, match=r"^corpus: got .*without any WordPiece"):
            corpus.run(config)
    file.write_text("a fine film\n\na dull film")
    assert corpus.run(config).record["results"]["documents"] == 2


def test_what_a_worker_refuses_is_one_line_and_the_run_can_be_mended(config, tmp_path):
    pytest.importorskip("apache_beam")
    (tmp_path / "texts.jsonl").write_text('{"text": "a fine film"}\n{"text": "a dull film"}\n{"text": 3}\n' * 2)
    config = changed(config, corpus=(str(tmp_path / "texts.jsonl"),), bad_lines="refuse")
    with pytest.raises(InputError) as raised:
        corpus.run(config)
    assert str(raised.value) == f"corpus: got {tmp_path}/texts.jsonl, line 3: 'text' of int; expected a text"
    (tmp_path / "texts.jsonl").write_text('{"text": "a fine film"}\n{"text": "a dull film"}\n')
    assert corpus.run(config).record["results"]["documents"] == 2
    assert run_directory_of(config, "corpus", ("runner", "pipeline_options")).finished


@pytest.mark.parametrize(
    "runner, options, words",
    [
        ("FastRunner", "", "^runner: got 'FastRunner' .*; expected DirectRunner, "),
        (
            "DirectRunner",
            "--direct_num_worker=2",
            "^pipeline_options: got --direct_num_worker; expected options of Beam",
        ),
        ("DirectRunner", "--direct_num_workers=two", "^pipeline_options: got .*invalid int value: 'two'"),
        ("SparkRunner", "fast", "^pipeline_options: got fast; expected options of Beam"),
        ("DirectRunner", "'--open", "^pipeline_options: got .*No closing quotation"),
    ],
)
def test_what_beam_does_not_know_is_refused(runner, options, words):
    pytest.importorskip("apache_beam")
    with pytest.raises(InputError, match=words):
        Engine(runner, options)


def test_beam_does_not_ask_for_prism(tmp_path, monkeypatch):
    """Beam would download this runner, and run it in place of the one in Python."""
    pytest.importorskip("apache_beam")
    from apache_beam.runners.portability.prism_runner import PrismRunner

    asked = []
    monkeypatch.setattr(PrismRunner, "run_pipeline", lambda *arguments: asked.append(arguments) or 1 / 0)
    Engine("DirectRunner").run([("touch", lambda number: (tmp_path / str(number)).touch(), [1, 2])])
    assert not asked and (tmp_path / "1").exists() and (tmp_path / "2").exists()


@pytest.mark.parametrize("options", ["", TWO])
@pytest.mark.parametrize(
    "raised, words",
    [
        ((errno.ENOSPC, os.strerror(errno.ENOSPC), "shards/1"), "[Errno 28] No space left on device: 'shards/1'"),
        ((errno.EACCES, os.strerror(errno.EACCES), "shards/1"), "[Errno 13] Permission denied: 'shards/1'"),
        (("100 requested and 17 written",), "100 requested and 17 written"),  # of NumPy
    ],
)
def test_a_disk_that_cannot_be_written_is_one_line(capfd, options, raised, words):
    pytest.importorskip("apache_beam")

    def work(number):
        raise OSError(*raised)

    with pytest.raises(OSError) as error:
        Engine("DirectRunner", options).run([("write", work, [1])])
    assert str(error.value) == words
    assert not capfd.readouterr().err
