"""Tasks of the user's own files."""

import numpy as np
import pytest

from tinybert_tf.data.tasks import load_task
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


def test_a_text_that_stands_in_several_rows_is_in_one_part(write):
    """With all of its rows; a second text makes it another one."""
    rows = [(f"text {i % 100}", "pos" if i % 3 else "neg") for i in range(300)]
    task = load_task(train_file=write("train.csv", rows))
    parts = {name: set(examples.texts) for name, examples in task.splits.items()}
    assert not parts["train"] & parts["dev"] and len(parts["dev"]) == 10 and len(task.splits["dev"]) == 30


def test_a_test_file_without_labels_is_said_and_another_spelling_refused(train_file, write, tmp_path, caplog):
    load_task(train_file=train_file, test_file=write("test.csv", ["fine", "dull"]))
    assert "test.csv has no column 'label', so results are those of dev." in caplog.text
    (tmp_path / "other.csv").write_text("text,Label\nfine,pos\n")
    message = "label_column: got 'label', which .*other.csv writes otherwise; expected one of text, Label"
    refused(message, train_file=train_file, test_file=str(tmp_path / "other.csv"))


@pytest.mark.parametrize(
    "numbers, message",
    [
        (["1", "1e39"], "row 3, with the label '1e39'; expected a number, of at most 38 digits"),
        ([str(1_700_000_000 + i) for i in range(60)], "numbers from 1700000000 to 1700000059, which 32 bits round"),
    ],
)
def test_numbers_that_32_bits_do_not_hold_are_refused(write, numbers, message):
    rows = [(f"text {i}", number) for i, number in enumerate(numbers)]
    refused(message, train_file=write("train.csv", rows), regression=True)


def test_what_would_fill_dev_or_rob_a_class_stays_in_training(write, caplog):
    """A text in half of the rows, and one whose second row is the only one of its class."""
    rows = [(f"text {i}", "pos" if i % 3 else "neg") for i in range(200)]
    path = write("train.csv", [*rows, *[("ok", "pos")] * 200, ("odd", "pos"), ("odd", "rare")])
    for seed in range(30):
        task = load_task(train_file=path, seed=seed)
        assert len(task.splits["dev"]) == 20 and not {"ok", "odd"} & set(task.splits["dev"].texts)
    assert not caplog.text
    load_task(train_file=write("few.csv", [(f"text {i % 4}", "pos" if i % 3 else "neg") for i in range(200)]))
    assert "few.csv has 4 different texts in 200 rows, too few for a tenth: some are in both train" in caplog.text


def test_equal_numbers_are_numbers(write):
    task = load_task(test_file=write("test.csv", [("a", "0.1"), ("b", "0.1")]), regression=True)
    assert task.splits["test"].labels.tolist() == pytest.approx([0.1, 0.1])
