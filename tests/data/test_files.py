"""A user's own files: what is read from each kind, and one clear line for what cannot be read."""

import json

import pytest

from tinybert_tf.data.files import Columns, read_table
from tinybert_tf.errors import InputError

DEFAULT, PAIRS = Columns(), Columns("first", "second", "class")


@pytest.fixture
def write(tmp_path):
    """A function that writes a file and returns its path."""

    def write(name, content):
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(file)

    return write


def refused(path, message, columns=DEFAULT, use=lambda table: table):
    """Asserts that reading, or `use` of what was read, raises a one-line error."""
    with pytest.raises(InputError, match=message) as error:
        use(read_table(path, columns))
    assert "\n" not in str(error.value) and "\r" not in str(error.value)
    assert len(str(error.value)) < 1000
    return error.value


def test_csv_has_quotes(write):
    table = read_table(write("a.csv", 'label,text\npos,"a, ""fine"" film"\nneg,dull\n'), DEFAULT)
    assert table.texts == ['a, "fine" film', "dull"]
    assert table.labels == ["pos", "neg"]
    assert table.text_pairs is None


def test_csv_fields_may_span_lines_and_rows_are_counted_in_lines(write):
    table = read_table(write("a.csv", 'text,label\n"a\nb\n\nc",pos\n\nlast,neg\n'), DEFAULT)
    assert table.texts == ["a\nb\n\nc", "last"]
    assert table.rows == [5, 7]


def test_tsv_keeps_quotes_as_they_are(write):
    table = read_table(write("a.tsv", 'text\tlabel\n"open\tpos\n"a" \'b\', c\tneg\n'), DEFAULT)
    assert table.texts == ['"open', "\"a\" 'b', c"]
    assert table.rows == [2, 3]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "A.JSONL"])
def test_jsonl_has_one_object_per_line(write, name):
    rows = [{"text": 'a\n"b" \u2028 é', "label": 1, "more": [1]}, {"label": "0", "text": ""}]
    content = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    table = read_table(write(name, content), DEFAULT)
    assert table.texts == [row["text"] for row in rows]
    assert table.labels == ["1", "0"]
    assert table.rows == [1, 3]


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.csv", "first,second,class,more\nun,deux,x,1\ndrei,vier,y,2\n"),
        ("a.tsv", "more\tclass\tsecond\tfirst\n1\tx\tdeux\tun\n2\ty\tvier\tdrei\n"),
        ("a.jsonl", '{"first": "un", "second": "deux", "class": "x"}\n{"first":"drei","second":"vier","class":"y"}\n'),
    ],
)
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("end", [b"\n", b""])
def test_columns_go_by_name_with_any_line_ends(write, name, content, bom, newline, end):
    lines = content.encode().removesuffix(b"\n") + end
    table = read_table(write(name, bom + lines.replace(b"\n", newline)), PAIRS)
    assert table.texts == ["un", "drei"]
    assert table.text_pairs == ["deux", "vier"]
    assert table.labels == ["x", "y"]


@pytest.mark.parametrize("name, separator", [("a.csv", ","), ("a.tsv", "\t")])
def test_a_text_may_have_50000_words(write, name, separator):
    text = "word " * 50_000
    assert read_table(write(name, f"text{separator}label\n{text}{separator}x\n"), DEFAULT).texts == [text]


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.csv", "", "a.csv without any row; expected labelled texts"),
        ("a.csv", "text,label\n", "a.csv without any row"),
        ("a.tsv", "", "a.tsv without any row"),
        ("a.jsonl", "\n\n", "a.jsonl without any row"),
        ("a.txt", "text", r"a.txt; expected a file named .csv, .tsv or .jsonl"),
        ("a.csv", "text,label\nfine,1\ndull,\n", "^label_column: got .*a.csv, row 3, with the label ''"),
        ("a.tsv", "text\tlabel\nfine\t \n", "a.tsv, row 2, with the label ' '"),
        ("a.jsonl", '{"text": "a", "label": null}', "a.jsonl, row 1, with the label None"),
        ("a.jsonl", '{"text": "a", "label": true}', "a.jsonl, row 1, with the label True"),
        ("a.jsonl", '{"text": "a", "label": [["x"]]}', r"a.jsonl, row 1, with the label \['x'\]"),
        ("a.jsonl", '{"text": "a", "label": {"x": 1}}', r"a.jsonl, row 1, with the label {'x': 1}"),
        ("a.jsonl", '{"text": "a", "label": NaN}', "a.jsonl, row 1, with the label nan; expected a class or a number"),
        ("a.jsonl", '{"text": "a", "label": -Infinity}', "a.jsonl, row 1, with the label -inf; expected a class"),
        ("a.jsonl", '{"text": "a", "label": ["x", NaN]}', "a.jsonl, row 1, with the label nan; expected a class"),
        ("a.jsonl", '{"text": "a", "label": "\\ud83d"}', "a.jsonl, row 1: a label with half a surrogate pair"),
        (
            "a.jsonl",
            '{"text": "a", "label": "x"}\n{"text": "b", "label": ["x"]}',
            "row 2, .* list of labels in all",
        ),
        (
            "a.csv",
            "text,label\nfine,1\ndull,nan\n",
            "^label_column: .*a.csv, row 3, with the label 'nan'; .*missing",
        ),
        ("a.csv", "text,label\nfine,NaN\ndull,x\n", "a.csv, row 2, with the label 'NaN'; .* missing"),
        ("a.tsv", "text\tlabel\nfine\t<NA>\n", "a.tsv, row 2, with the label '<NA>'; .* missing"),
        ("a.csv", "txt,label\nfine,1\n", "^text_column: got 'text', which .*a.csv, row 2 lacks; .*one of txt, label"),
        ("a.csv", "text,y\nfine,1\n", "^label_column: got 'label', which .*a.csv, row 2 lacks; .*one of text, y"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"label": 1}', "'text', which .*a.jsonl, row 2 lacks"),
        ("a.jsonl", '{"text": 3, "label": 1}', "a.jsonl, row 1: 'text' of int; expected a text"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text"\n', r"a.jsonl, row 2 \(.*; expected one JSON object per line"),
        ("a.jsonl", '\n["a", 1]\n', r"a.jsonl, row 2: '\[\"a\", 1\]'; expected one JSON object per line"),
        ("a.csv", 'text,label\nx,1\n"a,1\nb,2\nc,3\n', r"a.csv, line 3 \(.*; expected CSV with closed quotes"),
        ("a.csv", 'text,label\nx,1\n"a" b,1\n', r"a.csv, line 3 \(.*; expected CSV with closed quotes"),
        ("a.csv", "text,label\nx,1\na, b,1\n", "a.csv, row 3, with 3 fields; expected 2, as in the header"),
        ("a.tsv", "text\tlabel\nx\t1\nx\n", "a.tsv, row 3, with 1 fields; expected 2, as in the header"),
        ("a.csv", "text,label,text\nx,1,y\n", "a.csv with header text, label, text; expected every column name once"),
        ("a.csv", b"text,label\nx,1\ncaf\xe9,2\n", r"a.csv, line 3, with bytes b'\\xe9,2\\n'; expected UTF-8"),
        ("a.tsv", "text\tlabel\nx\t1\n".encode("utf-16"), "a.tsv, line 1, with bytes .*; expected UTF-8"),
    ],
)
def test_what_cannot_be_read_is_one_line(write, name, content, message):
    refused(write(name, content), message)


@pytest.mark.parametrize("columns", [DEFAULT, Columns(text="a"), Columns(text="a", label="b")])
def test_a_file_without_header_does_not_spill_its_text_into_the_error(write, columns):
    refused(write("a.csv", '"' + "long\ntext " * 1000 + '",1\nb,2\n'), "_column: got .*a.csv, row ", columns)


def test_a_missing_file_is_one_line(tmp_path):
    error = refused(str(tmp_path / "none.csv"), r"none.csv \(No such file or directory\); expected a file")
    assert error.argument == "train_file"
    (tmp_path / "folder.csv").mkdir()
    refused(str(tmp_path / "folder.csv"), "folder.csv .*; expected a file")


def test_a_missing_second_text_names_its_flag(write):
    assert refused(write("a.csv", "first,class\nx,1\n"), "'second'", PAIRS).argument == "text_pair_column"


def test_half_a_surrogate_pair_is_one_line(write):
    refused(write("a.jsonl", '{"text": "fine \\ud83d", "label": 1}'), "a.jsonl, row 1: 'text' with .*; expected")


def test_only_files_to_predict_on_may_lack_labels(write):
    path = write("a.tsv", "text\nfine\ndull\n")
    table = read_table(path, Columns(labels_may_lack=True))
    assert table.labels is None
    assert table.texts == ["fine", "dull"]
    refused(path, "'label', which .*a.tsv, row 2 lacks")


def test_labels_of_a_file_to_predict_on_are_read_if_there(write):
    path = write("a.csv", "text,label\nfine,pos\ndull,\n")
    refused(path, "row 3, with the label ''", Columns(labels_may_lack=True))


def test_where_no_labels_are_wanted_a_nameless_column_is_none(write):
    table = read_table(write("a.csv", "text,\nfine,\n"), Columns(label="", labels_may_lack=True))
    assert table.texts == ["fine"] and table.labels is None


def test_labels_that_some_rows_have_are_refused(write):
    path = write("a.jsonl", '{"text": "fine"}\n{"text": "dull", "label": 1}\n')
    refused(path, "^label_column: .*a.jsonl, row 2, with 'label', which row 1 lacks", Columns(labels_may_lack=True))


def test_an_empty_text_is_a_row_and_an_empty_line_is_none(write):
    table = read_table(write("a.csv", 'text\nfine\n""\n\ndull\n'), Columns(labels_may_lack=True))
    assert table.texts == ["fine", "", "dull"]


def test_blanks_around_a_column_name_are_no_part_of_it(write):
    assert read_table(write("a.csv", "text, label\u00a0\nfine,pos\n"), DEFAULT).labels == ["pos"]


def test_a_label_is_a_line(write):
    refused(write("a.csv", 'text,label\nfine,"a\nb"\n'), "row 3, with the label 'a.nb'; expected a class in one line")


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 100_000])
def test_json_that_python_cannot_read_is_one_line(write, value):
    refused(write("a.jsonl", f'{{"text": "fine", "label": {value}}}'), r"a.jsonl, row 1 .*; expected one JSON object")
