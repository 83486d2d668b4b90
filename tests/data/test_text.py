"""The corpus: every kind of source, its held-out slice, and one clear line for what cannot be read."""

import gzip
import json

import pytest

from tinybert_tf.data.splits import bucket, split_of
from tinybert_tf.data.text import MAX_DOCUMENT_CHARACTERS, Corpus
from tinybert_tf.errors import InputError


def everything(corpus):
    return [*corpus.documents(), *corpus.documents(held_out=True)]


@pytest.fixture
def text_file(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("First line\nof one document.\n\n\nSecond document.\n   \nThird, without an end", encoding="utf-8")
    return file


def test_an_empty_line_ends_a_document(text_file):
    documents = everything(Corpus([str(text_file)]))
    assert sorted(documents) == ["First line\nof one document.", "Second document.", "Third, without an end"]


def test_gz_reads_as_its_plain_file(text_file, tmp_path):
    packed = tmp_path / "a.txt.gz"
    packed.write_bytes(gzip.compress(text_file.read_bytes()))
    assert list(Corpus([str(packed)]).documents()) == list(Corpus([str(text_file)]).documents())


def test_globs_take_every_file_once(tmp_path):
    for name in ("b.txt", "c.txt", "sub/d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"Document of {name}.")
    assert len(everything(Corpus([f"{tmp_path}/*.txt"]))) == 2
    assert len(everything(Corpus([f"{tmp_path}/**/*.txt"]))) == 3


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_jsonl_reads_the_field(tmp_path, suffix):
    content = "\n".join(json.dumps({"body": f"Text {i}.", "other": 1}) for i in range(3)) + "\n\n"
    file = tmp_path / f"a{suffix}"
    file.write_bytes(gzip.compress(content.encode()) if suffix.endswith("gz") else content.encode())
    assert sorted(everything(Corpus([str(file)], field="body"))) == ["Text 0.", "Text 1.", "Text 2."]


def test_a_line_of_jsonl_may_be_a_book(tmp_path):
    """A line is one object however long it is; a byte order mark is not part of it."""
    book = "word " * (MAX_DOCUMENT_CHARACTERS // 4)
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in ("First.", book, "Last.")), "utf-8-sig")
    documents = everything(Corpus([str(file)]))
    assert sum(map(len, documents)) == len("First.Last.") + len(book.strip())
    assert {"First.", "Last."} < set(documents)


def test_a_corpus_that_is_all_held_out_is_refused(tmp_path):
    """Otherwise training would wait for its first text without end."""
    text = next(text for text in (f"Document {i}." for i in range(1000)) if bucket(text) < 2)
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(InputError, match=r"a.txt, whose documents all fall into the 2 % .*; expected more documents"):
        Corpus([str(tmp_path / "a.txt")])


def test_tfds_reads_a_data_set_on_disk(tmp_path, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")
    texts = [f"Example number {i}." for i in range(5)]
    tfds.dataset_builders.store_as_tfds_dataset(
        name="my_texts",
        version="1.0.0",
        features=tfds.features.FeaturesDict({"text": tfds.features.Text()}),
        split_datasets={"train": [(i, {"text": text}) for i, text in enumerate(texts)]},
        data_dir=tmp_path,
    )
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    corpus = Corpus(["tfds:my_texts"])
    assert sorted(everything(corpus)) == texts
    with pytest.raises(InputError, match=r"corpus_field: got 'body'; expected one of the features .*: text"):
        Corpus(["tfds:my_texts"], field="body")


def test_an_unknown_tfds_data_set_is_one_line():
    pytest.importorskip("tensorflow_datasets")
    with pytest.raises(InputError, match=r"corpus: got tfds:no_such_set \(.*; expected") as error:
        Corpus(["tfds:no_such_set"])
    assert "\n" not in str(error.value)


def test_a_document_without_end_comes_in_pieces(tmp_path):
    file = tmp_path / "long.txt"
    file.write_text("word " * (MAX_DOCUMENT_CHARACTERS // 2))
    pieces = everything(Corpus([str(file)]))
    assert len(pieces) >= 3
    assert max(map(len, pieces)) <= MAX_DOCUMENT_CHARACTERS


def test_held_out_is_two_percent_and_apart(tmp_path):
    file = tmp_path / "many.txt"
    file.write_text("\n\n".join(f"Document number {i}." for i in range(5000)))
    corpus = Corpus([str(file)])
    train, held_out = set(corpus.documents()), set(corpus.documents(held_out=True))
    assert not train & held_out
    assert len(train) + len(held_out) == 5000
    assert 0.015 < len(held_out) / 5000 < 0.025


def test_the_seed_shuffles_the_files(tmp_path):
    for i in range(8):
        (tmp_path / f"{i}.txt").write_text(f"Document {i}.")
    corpus = Corpus([f"{tmp_path}/*.txt"])
    named, first, again, other = (list(corpus.documents(order_seed=seed)) for seed in (None, [1, 0], [1, 0], [1, 1]))
    assert first == again
    assert sorted(first) == sorted(named)
    assert len({tuple(named), tuple(first), tuple(other)}) == 3


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.jsonl", b'{"text": 3}\n', r"line 1: 'text' of int; expected a text"),
        ("a.jsonl", b"not json\n", r"a.jsonl, line 1: 'not json'"),
        ("a.txt", b"\xff\xfe\n", r"a.txt, line 1: bytes b'\\xff\\xfe'; expected UTF-8"),
        ("a.txt.gz", b"not gzip", r"a.txt.gz, after line 0 .*; expected a whole gzip file"),
        ("a.txt.gz", gzip.compress(b"text " * 1000, mtime=0)[:-20], r"expected a whole gzip file"),
        ("a.txt.gz", gzip.compress(b"text " * 1000, mtime=0)[:12] + bytes([255] * 40), "expected a whole gzip file"),
        ("a.txt", b"\n  \n\n", r"without any text; expected text"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        list(Corpus([str(tmp_path / name)]).documents())
    assert "\n" not in str(error.value)
    assert error.value.argument == "corpus"


def test_a_missing_file_names_the_choices():
    with pytest.raises(InputError, match=r"'no/such/\*.txt', which is not a file; expected .*wiki_openings"):
        Corpus(["no/such/*.txt"])


def test_the_fingerprint_sees_a_changed_file(text_file):
    before = Corpus([str(text_file)]).fingerprint()
    assert Corpus([str(text_file)]).fingerprint() == before
    text_file.write_text(text_file.read_text() + " more")
    assert Corpus([str(text_file)]).fingerprint() != before


def test_buckets_are_fixed_for_ever():
    # Were these to change, evaluation text would enter training corpora.
    assert [bucket(key) for key in ("Paris", "BERT", "")] == [98, 98, 52]
    signs = {"train": ".", "dev": "d", "test": "t"}
    assert "".join(signs[split_of(str(i))] for i in range(30)) == ".t..............d.t....d.t...t"


@pytest.mark.assets
def test_wiki_openings_leave_out_what_wiki_topics_evaluates_on():
    from tinybert_tf import assets

    file = assets.fetch("wiki_openings") / "summaries_en-us.json"
    articles = json.loads(file.read_text(encoding="utf-8"))
    evaluated = {a["extract"].strip() for title, a in articles.items() if split_of(title) != "train"}
    corpus = set(everything(Corpus(["wiki_openings"])))
    assert len(evaluated) > 2500
    assert not corpus & evaluated
    assert len(corpus) > 6500


def test_evaluation_texts_stay_out(tmp_path):
    """They are found by letters and digits, as lines and as whole documents."""
    documents = ["A fine film!\nIt is long.", "Two lines\nmake one text.", "Another document."]
    (tmp_path / "corpus.txt").write_text("\n\n".join(documents))
    (tmp_path / "dev.txt").write_text("a FINE film\n\nTwo lines make one text\nnot there\n")
    corpus = Corpus([str(tmp_path / "corpus.txt")], without=[str(tmp_path / "dev.txt")])
    assert set(everything(corpus)) == {"It is long.", "Another document."}
    assert corpus.left_out == {"afinefilm", "twolinesmakeonetext"}
    whole = Corpus([str(tmp_path / "corpus.txt")])
    assert set(everything(whole)) == set(documents) and whole.left_out == set()
    assert whole.fingerprint() != corpus.fingerprint()
    with pytest.raises(InputError, match=r"without: got 'no.txt', which is not a file"):
        Corpus([str(tmp_path / "corpus.txt")], without=["no.txt"])


def test_a_file_may_have_brackets_in_its_name(tmp_path):
    (tmp_path / "notes[1].txt").write_text("A line of text.")
    assert [shard.name for shard in Corpus([str(tmp_path / "notes[1].txt")]).shards] == ["notes[1].txt"]
