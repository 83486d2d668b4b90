"""`--glue_dir` through the stages: what a split that is missing hinders, submissions, texts that stay out."""

import json

import pytest

from tinybert_tf.data.tasks import load_task
from tinybert_tf.data.text import Corpus
from tinybert_tf.errors import InputError
from tinybert_tf.settings.stages import EvaluateConfig, ExportConfig, FinetuneConfig
from tinybert_tf.stages import evaluate, export, finetune
from tinybert_tf.stages.all import evaluation_texts


@pytest.fixture
def glue_dir(tmp_path):
    """A folder of SST-2 without its training file."""
    folder = tmp_path / "glue"
    (folder / "SST-2").mkdir(parents=True)
    (folder / "SST-2/dev.tsv").write_text('sentence\tlabel\na good film \t1\na "bad" film \t0\n')
    (folder / "SST-2/test.tsv").write_text("index\tsentence\n0\ta fine story\n1\ta dull story\n")
    return folder


@pytest.fixture
def model(make_classifier, tmp_path):
    make_classifier(num_layers=1).save_to_preset(tmp_path / "model")
    return str(tmp_path / "model")


def evaluated(glue_dir, model, output_dir, **options):
    config = EvaluateConfig(
        task="sst2", glue_dir=str(glue_dir), model=model, output_dir=str(output_dir), sequence_length=8, **options
    )
    return evaluate.run(config)


def test_dev_and_test_are_evaluated_without_a_training_file(glue_dir, model, tmp_path, eagerly):
    run = evaluated(glue_dir, model, tmp_path / "run")
    assert run.record["results"]["splits"]["dev"]["examples"] == 2 and (run.path / "confusion.csv").exists()
    lines = (run.path / "SST-2.tsv").read_text().splitlines()
    assert lines[0] == "index\tprediction" and [line.split("\t")[0] for line in lines[1:]] == ["0", "1"]


def test_there_is_no_submission_without_a_test_file(glue_dir, model, tmp_path, eagerly):
    (glue_dir / "SST-2/test.tsv").unlink()
    run = evaluated(glue_dir, model, tmp_path / "run")
    assert list(run.record["results"]["splits"]) == ["dev"] and not (run.path / "SST-2.tsv").exists()


def test_a_run_may_be_resumed_with_the_files_elsewhere_but_not_with_others(glue_dir, model, tmp_path, eagerly):
    evaluated(glue_dir, model, tmp_path / "run")
    moved = glue_dir.rename(tmp_path / "moved")
    assert evaluated(moved, model, tmp_path / "run").was_finished
    (moved / "SST-2/dev.tsv").write_text("sentence\tlabel\na good film\t1\n")
    with pytest.raises(InputError, match=r"^task: got content that has changed since"):
        evaluated(moved, model, tmp_path / "run")


def test_training_needs_the_training_file(glue_dir, model, tmp_path):
    options = {"task": "sst2", "glue_dir": str(glue_dir), "deterministic": False}
    config = FinetuneConfig(model=model, output_dir=str(tmp_path / "run"), **options)
    with pytest.raises(InputError, match=r"^task: got sst2 without train examples; expected one of dev, test$"):
        finetune.run(config)
    assert not (tmp_path / "run").exists()


def test_an_export_is_measured_on_the_files_that_the_models_run_read(glue_dir, make_classifier, tmp_path):
    student = tmp_path / "student"
    make_classifier(num_layers=1).save_to_preset(student / "model")
    settings = {"task": "sst2", "glue_dir": str(glue_dir), "sequence_length": 8}
    record = {"stage": "task", "status": "finished", "settings": settings, "results": {}}
    (student / "run.json").write_text(json.dumps(record))
    run = export.run(ExportConfig(model=str(student), output_dir=str(tmp_path / "export"), variants=("float32",)))
    assert run.record["results"]["texts"] == 2 and "accuracy" in run.record["results"]["keras"]["metrics"]


def test_what_is_evaluated_on_stays_out_of_a_corpus(glue_dir, tmp_path):
    """`--stage=all` writes these texts for `--without`; texts are the same by their letters and digits."""
    (glue_dir / "SST-2/train.tsv").write_text("sentence\tlabel\na fine film\t1\n")
    texts = list(evaluation_texts(load_task("sst2", glue_dir=str(glue_dir))))
    assert texts == ["a good film", 'a "bad" film', "a fine story", "a dull story"]
    (tmp_path / "without.txt").write_text("".join(f"{text}\n" for text in texts))
    (tmp_path / "corpus.txt").write_text("A good film.\n\nA fine film.\n\nA bad film!\n\na Dull story\n")
    corpus = Corpus((str(tmp_path / "corpus.txt"),), without=(str(tmp_path / "without.txt"),))
    assert [text for text in corpus.documents() if text] == ["A fine film."]
