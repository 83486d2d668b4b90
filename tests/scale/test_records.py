"""Records hold what a corpus holds, each text once, and are read at any position; no test here needs Beam."""

import itertools
import json
import shutil
import tracemalloc
from collections import Counter

import numpy as np
import pytest

from tests.conftest import PIECES
from tinybert_tf.data.packed_records import PackedRecords, open_corpus, packed
from tinybert_tf.data.packing import PackedText, Position
from tinybert_tf.data.records import RECORDS_FILE, Records, gathered
from tinybert_tf.data.splits import bucket
from tinybert_tf.data.text import HELD_OUT_BUCKETS, Corpus
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertTokenizer
from tinybert_tf.scale.corpus import Preparation


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    monkeypatch.setattr("tinybert_tf.data.records.WINDOW_TOKENS", 1000)
    monkeypatch.setattr("tinybert_tf.data.records._SLICE_TOKENS", 50)
    monkeypatch.setattr("tinybert_tf.scale.parts.RUN_TOKENS", 700)
    monkeypatch.setattr("tinybert_tf.scale.parts._BATCH_DOCUMENTS", 30)


@pytest.fixture(scope="module")
def folder(sources, tokenizer, engine, tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("records") / "run", sources, tokenizer, engine())


def prepared(folder, sources, tokenizer, engine, **options):
    folder.mkdir(exist_ok=True)
    corpus = Corpus(sources, **options)
    Preparation(corpus, tokenizer, folder, num_shards=5).run(engine, {"corpus": corpus.fingerprint()})
    return folder


def documents(tokenizer, texts):
    return Counter(tuple(row) for row in tokenizer.tokenize(sorted(set(texts))).to_list())


def read(records, pieces):
    """Returns the documents of pieces as tuples of ids."""
    found = []
    for piece in pieces:
        tokens, sizes = records._read(piece)
        found += [tuple(row.tolist()) for row in np.split(tokens, np.cumsum(sizes)[:-1])]
    return Counter(found)


def content(folder):
    return {file.relative_to(folder): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


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


@pytest.mark.parametrize("slice_tokens", [1, 50, 1 << 20])
def test_documents_are_gathered_in_any_order(monkeypatch, slice_tokens):
    monkeypatch.setattr("tinybert_tf.data.records._SLICE_TOKENS", slice_tokens)
    rng = np.random.default_rng(0)
    sizes = rng.integers(0, 30, 200) * rng.integers(0, 2, 200)
    tokens = rng.integers(0, 1 << 16, sizes.sum()).astype(np.uint16)
    split = np.split(tokens, np.cumsum(sizes)[:-1])
    for order in (rng.permutation(200), rng.permutation(200)[:90], np.flatnonzero(sizes == 0), np.zeros(0, int)):
        made = gathered(tokens, sizes, order)
        assert made.dtype == np.uint16
        assert made.tolist() == [token for place in order for token in split[place].tolist()]


def test_gathering_needs_little_memory_besides_the_tokens(monkeypatch):
    monkeypatch.setattr("tinybert_tf.data.records._SLICE_TOKENS", 1 << 14)
    sizes = np.full(4000, 250)
    tokens = np.zeros(sizes.sum(), np.uint16)
    tracemalloc.start()
    try:
        gathered(tokens, sizes, np.arange(4000)[::-1])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < tokens.nbytes + 1_000_000


def test_documents_without_a_wordpiece_are_no_trouble(tokenizer, engine, texts, tmp_path, monkeypatch):
    monkeypatch.setattr("tinybert_tf.data.records.WINDOW_TOKENS", 1)
    blank = ["\u200b" * i for i in range(1, 500)]
    assert any(bucket(text) in HELD_OUT_BUCKETS for text in blank)
    training = [text for text in texts[:40] if bucket(text) not in HELD_OUT_BUCKETS]
    (tmp_path / "text.txt").write_text("\n\n".join([*blank, *training]))
    records = Records(prepared(tmp_path / "run", [str(tmp_path / "text.txt")], tokenizer, engine()))
    text = packed(records, tokenizer, 2, 16, seed=3)
    sizes = [len(records.tokens_of(window, np.random.default_rng(0))) for window in text._cut]
    assert 0 in sizes and sum(sizes) > 500
    assert len(list(text.batches(epochs=1))) == text.count(1) >= sum(size > 0 for size in sizes)
    assert records.held_out(100) and text.held_out(4) == []


def test_a_pass_shows_every_token_once(folder, tokenizer):
    text = PackedRecords(Records(folder), tokenizer, batch_size=4, sequence_length=16)
    assert len(text._cut) > 8 and any(len({piece.shard for piece in window}) > 1 for window in text._cut)
    shown = np.concatenate([batch["token_ids"].ravel() for batch, _ in text.batches(epochs=1)])
    wanted = np.concatenate([text.corpus.tokens_of(window, np.random.default_rng(0)) for window in text._cut])
    surplus = np.bincount(shown, minlength=len(PIECES)) - np.bincount(wanted, minlength=len(PIECES))
    surplus[[tokenizer.cls_id, tokenizer.sep_id]] = 0
    assert (surplus >= 0).all()  # the last batch of a window is filled up with sequences of it
    assert surplus.sum() < len(text._cut) * 4 * 16


def test_any_position_is_resumed_exactly(folder, tokenizer):
    def stream(start):
        return packed(Records(folder), tokenizer, 4, 16, seed=3).batches(start)

    whole = list(itertools.islice(stream(Position()), 400))
    assert whole[-1][1].epoch == 1
    for place in (0, 7, 101, 350):
        (batch, position), (expected, after) = next(stream(whole[place][1])), whole[place + 1]
        assert position == after and all((batch[name] == expected[name]).all() for name in expected)


def test_each_pass_has_another_order(folder, tokenizer):
    text = packed(Records(folder), tokenizer, 4, 16, seed=3)
    orders = [list(text._windows(epoch)) for epoch in range(2)]
    assert orders[0] != orders[1] and sorted(orders[0]) == sorted(orders[1]) == sorted(text._cut)


def test_held_out_sequences_are_full_and_the_same_each_time(folder, tokenizer):
    held_out = [packed(Records(folder), tokenizer, 2, 16, seed=3).held_out(4) for _ in range(2)]
    assert [batch["token_ids"].shape for batch in held_out[0]] == [(2, 16)] * 2
    assert all((a["token_ids"] == b["token_ids"]).all() for a, b in zip(*held_out))


def test_text_stays_text(sources, tokenizer):
    assert type(packed(open_corpus(sources), tokenizer, 4, 16, seed=3)) is PackedText


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"vocabulary": [*PIECES, "more"]}, f"vocabulary_size {len(PIECES)} and not {len(PIECES) + 1}, vocabulary "),
        ({"vocabulary": [*PIECES[:-2], "?", "'"]}, r"vocabulary \w{8} and not \w{8}\)"),
        ({"vocabulary": PIECES, "lowercase": False}, "lowercase True and not False, strip_accents True and not False"),
    ],
)
def test_another_tokenizer_is_refused(folder, changes, words):
    with pytest.raises(InputError, match=f"corpus: got .*records of another tokenizer .{words}.*; expected records"):
        packed(Records(folder), BertTokenizer(**changes), 4, 16, seed=3)


def damage(file, change):
    file.write_bytes(change(file.read_bytes()))


@pytest.mark.parametrize("name", ["tokens.npy", "offsets.npy"])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda data: data[:-1] + bytes([data[-1] ^ 1]), id="a bit"),
        pytest.param(lambda data: data[:-2], id="cut"),
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: b"?" + data[1:], id="no array"),
    ],
)
def test_a_damaged_shard_is_refused_in_one_line(folder, tokenizer, tmp_path, name, change):
    shutil.copytree(folder, tmp_path / "run")
    damage(tmp_path / "run" / "shards" / "00001" / name, change)
    with pytest.raises(InputError, match=f"^corpus: got .*00001/{name}, which is damaged .*; expected the file that"):
        list(packed(Records(tmp_path / "run"), tokenizer, 4, 16, seed=3).batches(epochs=1))


def test_any_damage_to_a_header_is_refused_in_one_line(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "run")
    file = tmp_path / "run" / "shards" / "00001" / "offsets.npy"
    whole = file.read_bytes()
    refused = 0
    for place, character in itertools.product(range(60), b"\x00({'\"9\xff"):
        file.write_bytes(whole[:place] + bytes([character]) + whole[place + 1 :])
        try:
            Records(tmp_path / "run")  # such as a space more: it may be read, and its checksum is compared later
        except InputError as error:
            assert str(error).startswith(f"corpus: got {file}, which is damaged (") and "\n" not in str(error)
            refused += 1
    assert refused > 300


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"version": 2}, "records of version 2; expected version 1"),
        ({"shards": [{}]}, "which lacks what it should say"),
        ({"tokenizer": None}, "which lacks what it should say"),
    ],
)
def test_a_record_that_says_too_little_is_refused(folder, tmp_path, changes, words):
    shutil.copytree(folder, tmp_path / "run")
    file = tmp_path / "run" / RECORDS_FILE
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    with pytest.raises(InputError, match=words):
        open_corpus([str(tmp_path / "run")])


def test_records_that_are_not_whole_or_not_alone_are_refused(folder, sources, tmp_path):
    shutil.copytree(folder, tmp_path / "run")
    (tmp_path / "run" / RECORDS_FILE).unlink()
    with pytest.raises(InputError, match="an unfinished run; expected one that --stage=corpus has finished"):
        open_corpus([str(tmp_path / "run")])
    with pytest.raises(InputError, match="alone: records are a whole corpus"):
        open_corpus([str(folder), *sources])
    with pytest.raises(InputError, match=r"^without: got dev\.txt; expected none with records"):
        open_corpus([str(folder)], without=["dev.txt"])
    (tmp_path / "run" / "shards" / "00004" / "tokens.npy").unlink()
    (tmp_path / "run" / RECORDS_FILE).write_bytes((folder / RECORDS_FILE).read_bytes())
    with pytest.raises(InputError, match=r"00004/tokens.npy, which is damaged \(.*No such file"):
        open_corpus([str(tmp_path / "run")])


def test_a_corpus_without_a_wordpiece_is_refused(tokenizer, engine, tmp_path):
    (tmp_path / "text.txt").write_text("\n\n".join("\u200b" * i for i in range(1, 9)))
    with pytest.raises(InputError, match=r"^corpus: got .*without any WordPiece"):
        prepared(tmp_path / "run", [str(tmp_path / "text.txt")], tokenizer, engine())
