"""`--stage=corpus` makes records that hold what the corpus holds, each text once; no test here needs Beam."""

import itertools
import json

import numpy as np
import pytest

from tests.scale.records import content, documents, prepared, read
from tinybert_tf.data.records import RECORDS_FILE, Records
from tinybert_tf.data.text import Corpus
from tinybert_tf.errors import InputError

pytestmark = pytest.mark.usefixtures("small_windows")


def test_records_hold_each_text_once_and_hold_out_the_same_texts(folder, sources, tokenizer):
    records, corpus = Records(folder), Corpus(sources)
    assert read(records, itertools.chain(*records.windows())) == documents(tokenizer, corpus.documents())
    assert read(records, records.held_out(10**9)) == documents(tokenizer, corpus.documents(held_out=True))
    facts = json.loads((folder / RECORDS_FILE).read_text())
    assert facts["bad_lines"] == 6
    assert facts["documents"] + facts["duplicates"] == 600 + 3 * 67 + 310
    assert [path.name for path in folder.iterdir() if path.is_dir()] == ["shards"]


def test_texts_that_are_evaluated_on_are_left_out(sources, tokenizer, engine, texts, tmp_path):
    (tmp_path / "dev.txt").write_text("\n".join(texts[:40]).upper())
    options = {"without": [str(tmp_path / "dev.txt")]}
    records = Records(prepared(tmp_path / "run", sources, tokenizer, engine(), **options))
    corpus = Corpus(sources, **options)
    assert read(records, itertools.chain(*records.windows())) == documents(tokenizer, corpus.documents())
    assert json.loads((tmp_path / "run" / RECORDS_FILE).read_text())["left_out"] == len(corpus.left_out) > 30


def test_the_order_of_the_work_changes_no_byte(folder, sources, tokenizer, engine, tmp_path):
    other = prepared(tmp_path / "run", sources, tokenizer, engine(backwards=True))
    assert content(other) == content(folder)


@pytest.mark.parametrize("dies_at", [0, 2, 4, 6])
def test_a_killed_preparation_does_what_is_missing(folder, sources, tokenizer, engine, tmp_path, dies_at):
    first, second = engine(dies_at), engine()
    with pytest.raises(KeyboardInterrupt):
        prepared(tmp_path / "run", sources, tokenizer, first)
    assert not (tmp_path / "run" / RECORDS_FILE).exists()
    assert content(prepared(tmp_path / "run", sources, tokenizer, second)) == content(folder)
    assert len(first.done) == dies_at and sorted(first.done + second.done) == sorted({*first.done, *second.done})


@pytest.mark.parametrize("file, kept", [("00000.sizes.npy", 2), ("offsets.npy", 3)])
def test_a_file_half_written_counts_for_nothing(folder, sources, tokenizer, engine, tmp_path, monkeypatch, file, kept):
    save, names = np.save, []

    def killed(path, array):
        names.append(path.name)
        if path.name == file and names.count(file) > kept:
            path.write_bytes(b"half")
            raise KeyboardInterrupt
        save(path, array)

    first, second = engine(), engine()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(np, "save", killed)
        prepared(tmp_path / "run", sources, tokenizer, first)
    assert len([name for name, _ in first.done if name == ("write" if file == "offsets.npy" else "read")]) == kept
    assert content(prepared(tmp_path / "run", sources, tokenizer, second)) == content(folder)
    assert not {*first.done} & {*second.done}


def test_what_killed_workers_of_other_machines_left_is_removed(folder, sources, tokenizer, engine, tmp_path):
    left = tmp_path / "run" / "shards" / ".00001.another.7.partial"
    with pytest.raises(KeyboardInterrupt):
        prepared(tmp_path / "run", sources, tokenizer, engine(5))
    left.mkdir()
    (left / "tokens.npy").write_bytes(b"half")
    assert content(prepared(tmp_path / "run", sources, tokenizer, engine())) == content(folder)
    assert not left.exists()


def test_other_inputs_begin_anew(folder, sources, tokenizer, engine, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        prepared(tmp_path / "run", sources[:1], tokenizer, engine(5))
    assert content(prepared(tmp_path / "run", sources, tokenizer, engine())) == content(folder)


def test_a_corpus_without_a_wordpiece_is_refused(tokenizer, engine, tmp_path):
    (tmp_path / "text.txt").write_text("\n\n".join("\u200b" * i for i in range(1, 9)))
    with pytest.raises(InputError, match=r"^corpus: got .*without any WordPiece"):
        prepared(tmp_path / "run", [str(tmp_path / "text.txt")], tokenizer, engine())
