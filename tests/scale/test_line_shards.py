"""Shards of lines: together they are the files, wherever they are cut."""

import json

import numpy as np
import pytest

from tinybert_tf.data.files import Columns
from tinybert_tf.data.line_shards import LineShards
from tinybert_tf.data.unlabelled import read_texts
from tinybert_tf.errors import InputError

LINES = ["a fine film", "", "ein schöner Film\u2028 mit Zeilen\x85", "x" * 300, "電影", "  ", "\ttab"]


def together(shards):
    texts, pairs = [], []
    for number in range(shards.num_shards):
        found = shards.read(number)
        texts += found[0]
        pairs += found[1] or []
    return texts, pairs or None


@pytest.mark.parametrize("num_shards", [1, 2, 3, 7, 60, 1000])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_shards_of_text_are_the_files(tmp_path, num_shards, ending):
    rng, wanted = np.random.default_rng(num_shards), []
    for i, last in enumerate(("", ending, "")):
        lines = [LINES[k] for k in rng.integers(len(LINES), size=20)]
        mark = "\ufeff" if i == 1 else ""
        (tmp_path / f"{i}.txt").write_bytes((mark + ending.join(lines) + last).encode())
        wanted += read_texts(str(tmp_path / f"{i}.txt"), Columns(), "input_file")[0]
    (tmp_path / "3.txt").touch()
    assert together(LineShards(f"{tmp_path}/*.txt", Columns(), num_shards)) == (wanted, None)


@pytest.mark.parametrize("num_shards", [1, 4, 100])
@pytest.mark.parametrize("second", ["", "other"])
def test_shards_of_json_lines_are_the_files(tmp_path, num_shards, second):
    rows = [
        json.dumps({"words": line, "other": line.upper()}, ensure_ascii=bool(i % 2)) for i, line in enumerate(LINES)
    ]
    (tmp_path / "texts.jsonl").write_text("\n\n".join(rows), encoding="utf-8")
    columns = Columns("words", second)
    shards = LineShards(str(tmp_path / "texts.jsonl"), columns, num_shards)
    assert together(shards) == read_texts(str(tmp_path / "texts.jsonl"), columns, "input_file")
    assert shards.has_pairs == bool(second)


@pytest.mark.parametrize(
    "files, words",
    [
        ({}, "which is not a file; expected"),
        ({"a.txt": ""}, "without any text; expected texts"),
        ({"a.csv": "text\nfine"}, "with a --runner; expected .jsonl or .txt files, which can be cut at lines"),
        ({"a.txt.gz": "x"}, "with a --runner; expected .jsonl or .txt files"),
        ({"a.txt": "x", "b.jsonl": "{}"}, "files named .jsonl, .txt; expected files of one kind"),
    ],
)
def test_files_that_cannot_be_cut_are_refused(tmp_path, files, words):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError) as raised:
        LineShards(f"{tmp_path}/*", Columns(), 2)
    assert words in str(raised.value)


def test_a_bad_line_is_named_by_its_place(tmp_path):
    good, file = json.dumps({"text": "a fine film"}) + "\n", tmp_path / "texts.jsonl"
    file.write_text(good * 10 + '{"text": 3}\n' + good * 3)
    with pytest.raises(InputError, match=rf"^text_column: got from byte \d+ of {file}, row \d: 'text' of int"):
        together(LineShards(str(file), Columns(), 3))
    file = tmp_path / "texts.txt"
    file.write_bytes(b"fine\n" * 9 + b"\xff\n")
    with pytest.raises(InputError, match=rf"^input_file: got from byte 25 of {file} .*0xff.*; expected a text"):
        together(LineShards(str(file), Columns(), 2))
