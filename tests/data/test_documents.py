"""Documents of files: every format gives the same texts, and bad lines are left out and counted, or refused."""

import csv
import gzip
import io
import json
import logging

import pytest

from tinybert_tf.data.text import Corpus
from tinybert_tf.errors import InputError

TEXTS = ["A, with a comma", 'B "quoted"', "C 漢字", "D on\ntwo lines", "E"]


def everything(corpus):
    return sorted([*corpus.documents(), *corpus.documents(held_out=True)])


def as_csv(rows):
    stream = io.StringIO()
    csv.writer(stream).writerows([["id", "body"], *([i, text] for i, text in enumerate(rows))])
    return stream.getvalue().encode()


def as_jsonl(rows):
    return "\n".join(json.dumps({"id": 1, "body": text}) for text in rows).encode()


def as_parquet(rows):
    pyarrow = pytest.importorskip("pyarrow.parquet")
    import pyarrow as arrow

    stream = io.BytesIO()
    pyarrow.write_table(arrow.table({"id": list(range(len(rows))), "body": list(rows)}), stream)
    return stream.getvalue()


WRITERS = {
    "a.csv": as_csv,
    "A.CSV": as_csv,
    "a.json": lambda rows: json.dumps([{"body": text} for text in rows]).encode(),
    "lines.json": as_jsonl,
    "a.jsonl": as_jsonl,
    "A.JSONL": as_jsonl,
    "a.csv.gz": lambda rows: gzip.compress(as_csv(rows)),
    "A.JSONL.GZ": lambda rows: gzip.compress(as_jsonl(rows)),
    "a.parquet": as_parquet,
    "with_bom.csv": lambda rows: b"\xef\xbb\xbf" + as_csv(rows),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_row_is_a_document(tmp_path, name):
    (tmp_path / name).write_bytes(WRITERS[name](TEXTS))
    assert everything(Corpus([str(tmp_path / name)], field="body")) == TEXTS


def test_tsv_has_no_quotes(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b'id\tbody\r\n1\tA "quote\r\n2\tB\r\n')
    assert everything(Corpus([str(tmp_path / "a.tsv")], field="body")) == ['A "quote', "B"]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.parquet"])
def test_a_missing_column_names_those_that_there_are(tmp_path, name):
    content = b"id\tbody\n1\tA\n" if name == "a.tsv" else WRITERS[name](TEXTS)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=r"corpus_field: got 'text' for .*; expected one of its columns: id, body"):
        Corpus([str(tmp_path / name)])


BAD = {
    "null.jsonl": (b'{"text": "A"}\n{"text": null}\n{"text": "B"}\n', "line 2: 'text' of NoneType"),
    "other.jsonl": (b'{"text": "A"}\n{"txt": "x"}\n{"text": "B"}\n', "line 2: .*; expected an object with 'text'"),
    "cut.jsonl": (b'{"text": "A"}\n{"text": "B"}\n{"text": "C', "line 3: "),
    "half.jsonl": (
        b'{"text": "A"}\n{"text": "x\\ud83d"}\n{"text": "B"}\n',
        r"line 2: half a surrogate pair, '\\ud83d'",
    ),
    "bytes.jsonl": (b'{"text": "A"}\n{"text": "\xff"}\n{"text": "B"}\n', r"line 2: bytes b'\\xff'; expected UTF-8"),
    "bytes.txt": (b"A\n\n\xe4\xf6\n\nB\n", r"line 3: bytes b'\\xe4\\xf6'; expected UTF-8"),
    "short.csv": (b"id,text\n1,A\n2\n3,B\n", "row 2: 1 columns; expected 'text' in column 2"),
    "unquoted.csv": (b"id,text\n1,A\n2,fine, but long\n3,B\n", "row 2: 3 columns; expected 2, as in the header"),
    "tabs.tsv": (b"text\tid\nA\t1\nfine\tbut long\t2\nB\t3\n", "row 2: 3 columns; expected 2, as in the header"),
    "bytes.tsv": (b"id\ttext\n1\tA\n2\t\xff\n3\tB\n", "row 2: bytes"),
    "kinds.json": (b'[{"text": "A"}, 7, {"text": "B"}]', "row 2: '7'"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_left_out_counted_and_told_or_refused(tmp_path, name, caplog):
    content, message = BAD[name]
    (tmp_path / name).write_bytes(content)
    corpus = Corpus([str(tmp_path / name)])
    with caplog.at_level(logging.WARNING, "absl"):
        for _ in range(2):  # read twice, counted once
            assert everything(corpus) == ["A", "B"]
    assert corpus.bad_lines.count == 1
    assert len(caplog.messages) <= 1
    with pytest.raises(InputError, match=message) as error:
        everything(Corpus([str(tmp_path / name)], bad_lines="refuse"))
    assert error.value.argument == "corpus"
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name, content",
    [
        ("latin.txt", "\n\n".join(["Straße"] * 3).encode("latin-1")),
        ("utf16.txt", "text\n".encode("utf-16") * 300),
        ("late.jsonl", b'{"text": "A"}\n' * 50 + b'{"txt": "B"}\n' * 300),
    ],
)
def test_a_file_of_another_kind_is_not_skipped_line_by_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=r"(line|row) \d+: .*, and \d+ more of \d+ lines; expected"):
        everything(Corpus([str(tmp_path / name)]))


@pytest.mark.parametrize(
    "name, content, expected",
    [
        ("open.csv", b'text\nA\n"B, without an end\nC\n', "CSV with quotes that close"),
        ("cut.json", b'[{"text": "A"}, {"te', "a JSON list of objects"),
        ("cut.csv.gz", gzip.compress(b"text\n" + b"A\n" * 1000, mtime=0)[:-12], "a whole gzip file"),
        ("not.parquet", b"PAR1 or not", "a whole Parquet file"),
    ],
)
def test_damage_beyond_a_line_is_refused(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=expected) as error:
        everything(Corpus([str(tmp_path / name)]))
    assert "\n" not in str(error.value)
