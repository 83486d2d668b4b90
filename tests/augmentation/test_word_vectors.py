"""Word vectors: every format, and the nearest words."""

import numpy as np
import pytest

from tinybert_tf.augmentation import word_vectors
from tinybert_tf.augmentation.word_vectors import WordVectors
from tinybert_tf.errors import InputError

WORDS = ["the", "film", "3d", "movie", "a.b", "story", "\x85"]
TABLE = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
UNIT = TABLE / np.linalg.norm(TABLE, axis=1, keepdims=True)
LINES = [" ".join([word, *map(repr, row.tolist())]) for word, row in zip(WORDS, TABLE)]


@pytest.fixture
def write(tmp_path):
    def write(name, lines):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
        return str(tmp_path / name)

    return write


def refused(message, name):
    with pytest.raises(InputError, match=message) as error:
        WordVectors.load(name, "word_vectors")
    assert error.value.argument == "word_vectors"
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("header", [[], ["7 4"]])
def test_text_reads_with_the_header_of_word2vec_or_without(write, header):
    vectors = WordVectors.load(write("a.txt", header + LINES))
    assert vectors.words == WORDS
    np.testing.assert_allclose(vectors.table, UNIT, rtol=1e-5)


def test_words_may_have_spaces_in_them(write):
    """GloVe's 840B has some."""
    lines = [LINES[0], LINES[1].replace("film", ". . ."), LINES[3].replace("movie", "at name@domain.com")]
    vectors = WordVectors.load(write("a.txt", lines))
    assert vectors.words == ["the", ". . .", "at name@domain.com"]
    np.testing.assert_allclose(vectors.table, UNIT[[0, 1, 3]], rtol=1e-5)


def test_arrays_read_with_the_words_beside_them(write, tmp_path):
    write("a.txt", WORDS)
    np.save(tmp_path / "a.npy", TABLE.astype(np.float16))
    vectors = WordVectors.load(str(tmp_path / "a.npy"))
    assert vectors.words == WORDS
    np.testing.assert_allclose(vectors.table, UNIT, atol=2e-3)


def test_only_the_most_frequent_words_are_kept(write, tmp_path, monkeypatch):
    monkeypatch.setattr(word_vectors, "MOST_WORDS", 3)
    text = WordVectors.load(write("a.txt", [*LINES[:3], "a line that is not read"]))
    write("b.txt", WORDS)
    np.save(tmp_path / "b.npy", TABLE)
    arrays = WordVectors.load(str(tmp_path / "b.npy"))
    assert text.words == arrays.words == WORDS[:3]
    np.testing.assert_allclose(text.table, arrays.table, rtol=1e-5)


@pytest.mark.parametrize(
    "lines, message",
    [
        ([*LINES[:2], "word 1 2 3"], "a.txt, line 3: 'word 1 2 3.*; expected a word and 4 numbers"),
        ([*LINES[:1], "word 1 2 x 4"], "a.txt, line 2: 'word 1 2 x 4.*; expected a word and 4 numbers"),
        (["7 4", "word", *LINES], "a.txt, line 2: 'word.*; expected a word and its numbers"),
        ([LINES[0], "", LINES[1]], "a.txt, line 2: "),
        ([LINES[0], "word 1 2 3 4 5"], "a.txt, line 2: 'word 1 2 3 4 5.*; expected a word and 4 numbers"),
        (["plain words, no vectors"], "a.txt, line 1: 'plain words, no vectors"),
        ([], "a.txt, which is empty; expected one word and its vector per line"),
    ],
)
def test_a_line_that_is_no_vector_is_named(write, lines, message):
    refused(message, write("a.txt", lines))


def test_arrays_that_do_not_fit_are_one_line(write, tmp_path):
    np.save(tmp_path / "a.npy", TABLE)
    refused(r"a.npy \(.*No such file.*\); expected vectors, and their words in a.txt", str(tmp_path / "a.npy"))
    write("a.txt", WORDS[:5])
    refused(r"a.npy of shape \(7, 4\) and 5 words in a.txt; expected one row per word", str(tmp_path / "a.npy"))
    (tmp_path / "a.npy").write_bytes(b"not numpy")
    refused(r"a.npy \(.*\); expected vectors", str(tmp_path / "a.npy"))


def test_a_missing_file_names_the_packaged_one():
    refused("'no/such.txt', which is not a file; expected glove_6b_50d, a .txt or a .npy", "no/such.txt")


def brute_force(words, table, word, count):
    place = words.index(word)
    cosines = [float(table[place] @ row) / np.linalg.norm(table[place]) / np.linalg.norm(row) for row in table]
    order = sorted(range(len(words)), key=lambda other: -cosines[other])
    return [words[i] for i in order if i != place and words[i].isalpha()][:count]


def test_neighbours_are_the_nearest_by_cosine():
    rng = np.random.default_rng(1)
    letters = "abcdefghij"
    words = [f"{letters[i // 100]}{letters[i // 10 % 10]}{letters[i % 10]}" + "1" * (i % 7 == 0) for i in range(600)]
    table = rng.normal(size=(600, 5)) * rng.uniform(0.1, 10, (600, 1))
    asked = words[:300]  # more than are looked up at a time
    found = WordVectors(words, table).neighbours(asked, 6)
    assert list(found) == asked
    for word in asked:
        assert found[word] == brute_force(words, table, word, 6)


def test_unknown_words_have_no_neighbours():
    found = WordVectors(WORDS, TABLE).neighbours(["film", "unheard", "film"], 2)
    assert found == {"film": brute_force(WORDS, TABLE, "film", 2), "unheard": []}
    assert WordVectors(WORDS, TABLE).neighbours([], 2) == {}


def test_few_words_have_few_neighbours():
    found = WordVectors(WORDS, TABLE).neighbours(["story"], 15)["story"]
    assert sorted(found) == ["film", "movie", "the"]


def test_a_vector_of_zeros_is_near_to_nothing():
    vectors = WordVectors(["zero", "far", "near"], np.array([[0, 0], [-1, 0], [1, 0.0]]))
    assert np.isfinite(vectors.table).all()
    assert vectors.neighbours(["near"], 2) == {"near": ["zero", "far"]}


@pytest.mark.assets
def test_packaged_vectors_know_what_words_mean():
    vectors = WordVectors.load("glove_6b_50d")
    assert len(vectors.words) == len(vectors.table) == word_vectors.MOST_WORDS
    assert vectors.words[:5] == ["the", ",", ".", "of", "to"]
    found = vectors.neighbours(["terrible", "actor"], 15)
    assert {"horrible", "awful"} <= set(found["terrible"])
    assert "actress" in found["actor"]
    assert found["actor"] == brute_force(vectors.words, vectors.table, "actor", 15)
