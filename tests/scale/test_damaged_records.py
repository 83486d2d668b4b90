"""Damaged, unfinished and foreign records are refused in one line; no test here needs Beam."""

import itertools
import json
import shutil

import pytest

from tests.conftest import PIECES
from tinybert_tf.data.packed_records import open_corpus, packed
from tinybert_tf.data.records import RECORDS_FILE, Records
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertTokenizer


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
