"""GLUE: TFDS's own features and splits with made-up rows, and the files that the server takes."""

import types

import numpy as np
import pytest

from tinybert_tf.data import glue
from tinybert_tf.data.tasks import load_task
from tinybert_tf.errors import InputError

tfds = pytest.importorskip("tensorflow_datasets")

IDS = [7, 2, 11, 0, 5]
PAIRS = {
    "cola": ("sentence", None),
    "sst2": ("sentence", None),
    "mrpc": ("sentence1", "sentence2"),
    "stsb": ("sentence1", "sentence2"),
    "qqp": ("question1", "question2"),
    "mnli": ("premise", "hypothesis"),
    "qnli": ("question", "sentence"),
    "rte": ("sentence1", "sentence2"),
    "wnli": ("sentence1", "sentence2"),
    "ax": ("premise", "hypothesis"),
}
METRICS = {  # https://gluebenchmark.com/tasks
    "cola": ("matthews",),
    "mrpc": ("accuracy", "f1"),
    "qqp": ("accuracy", "f1"),
    "stsb": ("pearson", "spearman"),
}


def rows(builder, split, **_):
    """Five rows of a split, in disorder; those of the server's own splits have no labels, as in the real data."""
    import tensorflow as tf

    stub = types.SimpleNamespace(download=lambda urls: "f", download_and_extract=lambda urls: "f")
    assert split in [str(generator.name) for generator in builder._split_generators(stub)]
    columns = {}
    for name, feature in builder.info.features.items():
        if name == "idx":
            columns[name] = np.array(IDS, np.int32)
        elif name == "label":
            values = [-1] * 5 if split.startswith("test") else [i % getattr(feature, "num_classes", 6) for i in IDS]
            columns[name] = np.array(values, feature.np_dtype)
        else:
            columns[name] = [f"{split} {name} {i} é" for i in IDS]
    return tf.data.Dataset.from_tensor_slices(columns)


@pytest.fixture(autouse=True)
def no_folder_of_files(monkeypatch):
    monkeypatch.delenv("TINYBERT_GLUE", raising=False)


@pytest.fixture
def tfds_rows():
    with tfds.testing.mock_data(as_dataset_fn=rows):
        yield


@pytest.mark.parametrize("name", list(PAIRS))
def test_every_task_reads_its_columns_in_the_order_of_the_server(tfds_rows, name):
    task, columns = load_task(name), PAIRS[name]
    assert task.metrics == METRICS.get(name, ("accuracy",))
    for split, theirs in glue.GLUE_TASKS[name].splits.items():
        part = task.splits[split]
        assert part.ids == [0, 2, 5, 7, 11]
        assert part.texts == [f"{theirs} {columns[0]} {i} é" for i in part.ids]
        assert part.text_pairs == (columns[1] and [f"{theirs} {columns[1]} {i} é" for i in part.ids])
        if split.startswith("test"):
            assert part.labels is None
        else:
            classes = 6 if task.is_regression else len(task.labels)
            assert part.labels.tolist() == [i % classes for i in part.ids]
    assert task.is_regression == (name == "stsb")
    assert task.report_split == ("test" if name == "ax" else "dev")


def test_label_names_are_those_of_the_server(tfds_rows):
    assert load_task("mnli").labels == load_task("ax").labels == ("entailment", "neutral", "contradiction")
    assert load_task("rte").labels == load_task("qnli").labels == ("entailment", "not_entailment")


def test_the_two_dev_sets_of_mnli_stay_apart(tfds_rows):
    splits = load_task("mnli").splits
    assert splits["dev"].texts[0].startswith("validation_matched premise")
    assert splits["dev_mismatched"].texts[0].startswith("validation_mismatched premise")
    assert splits["test"].texts[0].startswith("test_matched premise")
    assert splits["test_mismatched"].texts[0].startswith("test_mismatched premise")


def test_ax_has_nothing_to_train_on(tfds_rows):
    with pytest.raises(InputError, match=r"^task: got ax without train examples; expected one of test$"):
        load_task("ax").split("train")


def test_data_that_cannot_be_fetched_is_one_line(monkeypatch):
    def fail(name):
        raise ConnectionError("no route\nto host " * 100)

    monkeypatch.setattr(tfds, "builder", fail)
    with pytest.raises(InputError, match=r"task: got glue/sst2 \(no route to host .*\); expected data that") as error:
        load_task("sst2")
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def written(tmp_path, name, predictions, labels):
    glue.write_submission(tmp_path / "a.tsv", glue.GLUE_TASKS[name], [0, 1, 3], np.array(predictions), labels)
    return (tmp_path / "a.tsv").read_text()


@pytest.mark.parametrize("name", ["mnli", "qnli", "rte", "ax"])
def test_a_submission_of_label_names(tmp_path, name):
    assert written(tmp_path, name, [1, 0, 1], ("x", "y")) == "index\tprediction\n0\ty\n1\tx\n3\ty\n"


@pytest.mark.parametrize("name", ["cola", "sst2", "mrpc", "qqp", "wnli"])
def test_a_submission_of_label_numbers(tmp_path, name):
    assert written(tmp_path, name, [1, 0, 1], ("x", "y")) == "index\tprediction\n0\t1\n1\t0\n3\t1\n"


def test_scores_are_cut_to_0_to_5(tmp_path):
    content = written(tmp_path, "stsb", [-0.2, 5.3, 3.14159], ("score",))
    assert content == "index\tprediction\n0\t0.000\n1\t5.000\n3\t3.142\n"


def test_files_have_the_names_that_the_server_wants():
    names = [file for task in glue.GLUE_TASKS.values() for file in task.submission.values()]
    assert sorted(names) == sorted(
        [
            "AX.tsv",
            "CoLA.tsv",
            "MNLI-m.tsv",
            "MNLI-mm.tsv",
            "MRPC.tsv",
            "QNLI.tsv",
            "QQP.tsv",
            "RTE.tsv",
            "SST-2.tsv",
            "STS-B.tsv",
            "WNLI.tsv",
        ]
    )
    assert all(set(task.submission) <= set(task.splits) for task in glue.GLUE_TASKS.values())
