"""Labels: which classes a table has, and what its rows become."""

import numpy as np
import pytest

from tests.data.test_files import DEFAULT, refused
from tinybert_tf.data import labels
from tinybert_tf.data.files import Columns, read_table
from tinybert_tf.data.labels import label_names, to_examples


@pytest.fixture
def write(tmp_path):
    """A function that writes a file and returns its path."""

    def write(name, content):
        (tmp_path / name).write_text(content, encoding="utf-8")
        return str(tmp_path / name)

    return write


@pytest.fixture
def said(monkeypatch):
    """The warnings, as they are logged."""
    lines = []
    monkeypatch.setattr(labels.logging, "warning", lambda line, *values: lines.append(line % values))
    return lines


def table_of(write, names):
    return read_table(write("a.tsv", "text\tlabel\n" + "".join(f"x\t{name}\n" for name in names)), DEFAULT)


@pytest.mark.parametrize(
    "labels, expected",
    [
        (["10", "2", "-1", "2"], ("-1", "2", "10")),
        (["10", "2", "x"], ("10", "2", "x")),
        (["pos", "neg", "Pos"], ("Pos", "neg", "pos")),
        (["1.5", "b"], ("1.5", "b")),
        (["²", "1"], ("1", "²")),
        (["1.0", "0.0", "1.0"], ("0", "1")),
        (["10.0", "2", "-1.", "2.000", "-0.0"], ("-1", "0", "2", "10")),
        (["1.0", "v2"], ("1.0", "v2")),
    ],
)
def test_integers_sort_by_value_and_others_by_name(write, labels, expected):
    table = table_of(write, labels)
    assert label_names(table) == expected
    found = [expected[number] for number in to_examples(table, expected).labels]
    assert found == labels or [float(name) for name in found] == [float(label) for label in labels]


def test_one_class_is_refused(write):
    refused(
        write("a.csv", "text,label\nx,pos\ny,pos\n"), "a.csv with the one label 'pos'; expected two", use=label_names
    )


def test_labels_that_lack_altogether_are_told_so(write):
    path = write("a.csv", "text\nx\n")
    refused(path, "a.csv without labels; expected", Columns(labels_may_lack=True), label_names)


def test_fractions_want_regression(write):
    path = write("a.csv", "text,label\nx,1\ny,2.5\nz,3.5\n")
    refused(path, "a.csv, row 3, with the number 2.5 as label; expected classes, or --regression", use=label_names)
    numbers = to_examples(read_table(path, DEFAULT), None).labels
    assert numbers.dtype == np.float32 and numbers.tolist() == [1, 2.5, 3.5]


@pytest.mark.parametrize("label", ["good", "inf", "1,5"])
def test_regression_wants_numbers(write, label):
    path = write("a.tsv", f"text\tlabel\nx\t1\n\ny\t{label}\n")
    refused(path, f"a.tsv, row 4, with the label '{label}'; expected a number", use=lambda t: to_examples(t, None))


def test_a_label_that_training_lacks_is_named_with_its_row(write):
    path = write("a.csv", "text,label\nx,pos\ny,new\n")
    message = "a.csv, row 3, with the label 'new'; expected a label of the training file: neg, pos"
    refused(path, message, use=lambda table: to_examples(table, ("neg", "pos")))


def test_whole_numbers_of_another_file_are_the_same_classes(write):
    table = table_of(write, ["1.0", "3.0", "1"])
    assert to_examples(table, ("1", "3")).labels.tolist() == [0, 1, 0]
    assert to_examples(table, None).labels.tolist() == [1, 3, 1]


def test_one_class_in_two_spellings_is_one(write):
    refused(write("a.csv", "text,label\nx,1\ny,1.0\n"), "a.csv with the one label '1'; expected two", use=label_names)


def test_a_class_called_nan_is_read_from_json(write):
    rows = '{"text": "x", "label": "nan"}\n{"text": "y", "label": "null"}\n'
    assert label_names(read_table(write("a.jsonl", rows), DEFAULT)) == ("nan", "null")


@pytest.mark.parametrize(
    "name, content, separator",
    [
        (
            "a.jsonl",
            '{"text": "x", "label": ["b", "a"]}\n{"text": "y", "label": []}\n{"text": "z", "label": ["c"]}',
            "",
        ),
        ("a.csv", "text,label\nx,b | a\ny,\nz,c|\n", "|"),
        ("a.tsv", "text\tlabel\nx\tb, a\ny\t\nz\tc\n", ","),
        ("a.jsonl", '{"text": "x", "label": "b;a"}\n{"text": "y", "label": ""}\n{"text": "z", "label": "c"}', ";"),
    ],
)
def test_a_text_may_have_several_labels(write, name, content, separator):
    table = read_table(write(name, content), Columns(label_separator=separator))
    assert table.has_label_sets and label_names(table) == ("a", "b", "c")
    examples = to_examples(table, ("a", "b", "c"), multi_label=True)
    assert examples.labels.dtype == np.float32 and examples.labels.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_numbers_in_lists_are_classes(write):
    rows = '{"text": "x", "label": [10, 2.0]}\n{"text": "y", "label": [2]}\n'
    table = read_table(write("a.jsonl", rows), Columns(label_separator="|"))
    assert label_names(table) == ("2", "10")
    assert to_examples(table, ("2", "10"), multi_label=True).labels.tolist() == [[1, 1], [1, 0]]


def test_a_single_label_is_a_set_where_training_has_sets_but_not_the_other_way_round(write):
    assert to_examples(table_of(write, ["b", "a"]), ("a", "b"), multi_label=True).labels.tolist() == [[0, 1], [1, 0]]
    path = write("a.jsonl", '{"text": "x", "label": ["a"]}')
    refused(
        path, r"row 1, with the label \['a'\]; expected one class", use=lambda table: to_examples(table, ("a", "b"))
    )
    refused(path, r"row 1, with the label \['a'\]; expected a number", use=lambda table: to_examples(table, None))


@pytest.mark.parametrize(
    "names, suggestion",
    [
        (["bill|now", "now", "bill|login", "login"], "--label_separator='|'"),
        (["a; b", "b; c", "a; c"], "--label_separator=';'"),
        (["new york, ny", "paris, france"], None),
        (["a|b", "c", "d", "e"], None),
        (["|", "a|"], None),
    ],
)
def test_combinations_are_pointed_out(write, said, names, suggestion):
    assert len(label_names(table_of(write, names))) == len(names)
    assert len(said) == (suggestion is not None)
    assert not said or suggestion in said[0]


def test_texts_without_labels_have_none(write):
    table = read_table(write("a.csv", "text\nfine\ndull\n"), Columns(labels_may_lack=True))
    assert to_examples(table, ("x", "y")).labels is None


def test_a_class_of_thousands_of_digits_is_a_name(write):
    name = "7" * 5000
    assert label_names(table_of(write, [name, "1"])) == ("1", name)
