"""Which words augmentation changes, and to what."""

import unicodedata

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import PIECES
from tinybert_tf.augmentation.augmenter import Augmenter, read_stop_words
from tinybert_tf.augmentation.word_vectors import WordVectors
from tinybert_tf.augmentation.words import as_piece, script_of
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertMaskedLM, BertTokenizer

pytestmark = pytest.mark.usefixtures("eagerly")  # each graph would run a few times only
VECTOR_WORDS = ["films", "movies", "player", "actor", "dully", "film"]
VECTORS = WordVectors(VECTOR_WORDS, np.random.default_rng(0).normal(size=(6, 4)))
ODD_TEXTS = [
    "A fine film, dull story! Isn't it GOOD?",
    "films  played\tun-good\n(film) film's 2good good2 good_bad 'fine' film’s",
    "film电影 fílm film\u0301 fine\u0301s good\u200bbad un\u00adgood fine\x07story fine\x85dull fine\ufeffdull",
    "",
    "...",
    "film",
    "x" * 120 + " film " + "good" * 30 + " bad",
]


@pytest.fixture
def augmenter(make_encoder):
    return Augmenter(BertMaskedLM(make_encoder()), VECTORS, num_candidates=4)


def words_of(text, places):
    return [text[place.start : place.end] for place in places]


def test_tokens_are_the_tokenizer_s_and_places_the_word_s(make_encoder, monkeypatch):
    augmenter = Augmenter(BertMaskedLM(make_encoder(max_sequence_length=256)), VECTORS, num_candidates=4)
    seen = {}
    tokens_of = augmenter._tokens

    def spy(texts, spans):
        seen["texts"], seen["spans"], seen["made"] = texts, spans, tokens_of(texts, spans)
        return seen["made"]

    monkeypatch.setattr(augmenter, "_tokens", spy)
    augmenter.places(ODD_TEXTS)
    ids, places = seen["made"]
    checked = 0
    for i, text in enumerate(seen["texts"]):
        assert ids[i].tolist() == augmenter.tokenizer([text], sequence_length=256)["token_ids"][0].numpy().tolist()
        for a, b in seen["spans"][i]:
            if text[a:b].lower() in PIECES:
                assert PIECES[ids[i][places[i, a]]] == text[a:b].lower()
                checked += 1
    assert checked >= 10


def test_stop_words_and_what_words_are_joined_to_stay(augmenter):
    found = [words_of(text, places) for text, places in zip(ODD_TEXTS, augmenter.places(ODD_TEXTS))]
    assert found == [
        ["fine", "film", "dull", "story", "GOOD"],  # "A", "it" and "Isn't" are not words to change
        ["films", "good", "film"],  # "un" is a stop word, "played" has no vector
        ["film", "fílm", "film\u0301"],  # accents are part of a word, ideographs are words by themselves
        [],
        [],
        ["film"],
        ["film", "bad"],
    ]


def test_one_piece_goes_to_the_masked_lm_and_more_to_the_vectors(augmenter):
    film, films = augmenter.places(["film films"])[0]
    assert set(film.candidates) <= set(PIECES) and len(film.candidates) == 4
    assert list(films.candidates) == VECTORS.neighbours(["films"], 4)["films"]


def test_without_vectors_longer_words_stay(make_encoder):
    augmenter = Augmenter(BertMaskedLM(make_encoder()), None, num_candidates=4)
    assert words_of("film films player", augmenter.places(["film films player"])[0]) == ["film"]


@pytest.mark.parametrize("masked_share, readings", [(0.0, 5), (0.15, 5), (0.2, 3), (0.5, 1)])
def test_the_masked_lm_reads_the_masked_text_alone(augmenter, monkeypatch, masked_share, readings):
    """The likeliest whole words, by a plain forward pass over the text with `[MASK]` in the place of the words."""
    augmenter.masked_share = masked_share
    batches = count_rows(augmenter, monkeypatch)
    text = "the dull film , and the good story is fine !"
    token_ids = augmenter.tokenizer([text], sequence_length=24)["token_ids"].numpy()
    assert token_ids.shape == (1, 13)
    places = augmenter.places([text])[0]
    words = words_of(text, places)
    assert words == ["dull", "film", "good", "story", "fine"] and sum(rows for rows, _ in batches) == readings
    positions = np.array([token_ids[0].tolist().index(PIECES.index(word)) for word in words])
    for number, (word, place) in enumerate(zip(words, places)):
        masked = token_ids.copy()
        masked[0, positions[number % readings :: readings]] = PIECES.index("[MASK]")
        inputs = {
            "token_ids": masked,
            "segment_ids": np.zeros_like(token_ids),
            "padding_mask": np.ones_like(token_ids),
            "masked_positions": np.array([[positions[number]]]),
        }
        logits = augmenter.masked_lm(inputs, training=False).numpy()[0, 0]
        ranked = [PIECES[i] for i in np.argsort(-logits)]
        expected = [piece for piece in ranked if piece.isalpha() and len(piece) > 1 and piece != word]
        assert list(place.candidates) == expected[:4]


@pytest.mark.parametrize("lowercase", [True, False])
def test_the_original_is_no_candidate_and_none_comes_twice(make_encoder, lowercase):
    pieces = [piece.title() if piece in ("story", "play", "of", "and") else piece for piece in PIECES]
    pieces[pieces.index("un")] = "Film"  # beside "film"
    tokenizer = BertTokenizer(PIECES if lowercase else pieces, lowercase)
    vectors = WordVectors(["films", "Films", "movies", "Movies"], np.eye(4) + 1)
    augmenter = Augmenter(BertMaskedLM(make_encoder(tokenizer=tokenizer)), vectors, num_candidates=12)
    text = "film Film FILM films Films good Good GOOD"
    places = augmenter.places([text])[0]
    assert len(places) >= 4
    for place in places:
        assert text[place.start : place.end] not in place.candidates
        assert len(set(place.candidates)) == len(place.candidates)


def test_candidates_have_the_case_of_the_word(augmenter):
    lower, title, upper = (augmenter.places([f"the {word} story"])[0][0] for word in ("film", "Film", "FILM"))
    assert all(word.islower() for word in lower.candidates)
    assert title.candidates == tuple(word.title() for word in lower.candidates)
    assert upper.candidates == tuple(word.upper() for word in lower.candidates)
    assert augmenter.places(["Films"])[0][0].candidates[0][0].isupper()


def test_words_beyond_the_last_position_stay(augmenter):
    text = "film " * 40  # [CLS], 22 words and [SEP] fill 24 positions
    places = augmenter.places([text])[0]
    assert [place.start for place in places] == [5 * i for i in range(22)]


def count_rows(augmenter, monkeypatch):
    guess, rows = augmenter._guess, []

    def counted(inputs):
        rows.append(inputs["token_ids"].shape)
        return guess(inputs)

    monkeypatch.setattr(augmenter, "_guess", counted)
    return rows


def test_a_word_of_a_text_is_guessed_once_though_the_text_stand_twice(augmenter, monkeypatch):
    batches = count_rows(augmenter, monkeypatch)
    places = augmenter.places(["film film", "good", "film film", "films"])
    assert sum(rows for rows, _ in batches) == 3
    assert places[0] == places[2] and len(places[0]) == 2


def test_the_other_texts_do_not_change_a_guess(augmenter, monkeypatch):
    rng = np.random.default_rng(0)
    texts = [
        " ".join(rng.choice(["film", "good", "dull", "the", "player", "!"], rng.integers(1, 15))) for _ in range(12)
    ]
    tf.config.run_functions_eagerly(False)  # many batches
    together = augmenter.places(texts)
    assert together == [augmenter.places([text])[0] for text in texts]
    batches = count_rows(augmenter, monkeypatch)
    for batch_tokens in (1, 40):
        augmenter.batch_tokens = batch_tokens
        batches.clear()
        assert augmenter.places(texts) == together
        assert all(rows == 1 or rows * length <= batch_tokens for rows, length in batches)
    assert max(rows for rows, _ in batches) > 1


LANGUAGES = [
    *"电影好看很",
    "film",
    "straße",
    "кино",
    "фильм",
    "история",
    "영화",
    "이야기",
    "좋은",
    "और",
    "कहानी",
    "ไทย",
]
SCRIPTS = {
    "这部电影很好看": ["电", "影", "很", "好", "看"],
    "Кино: хорошее кино": ["Кино", "кино"],
    "좋은 영화! 영화는": ["좋은", "영화"],
    "और कहानी": ["और", "कहानी"],
    "film电影": ["film", "电", "影"],
}


@pytest.mark.parametrize("lowercase", [True, False])
def test_a_word_of_any_script_changes_to_one_of_the_same_script(make_encoder, lowercase):
    pieces = [as_piece(word, BertTokenizer(PIECES, lowercase)) for word in LANGUAGES]
    tokenizer = BertTokenizer([*PIECES, *pieces], lowercase)
    encoder = make_encoder(tokenizer=tokenizer, vocabulary_size=len(tokenizer.vocabulary))
    augmenter = Augmenter(BertMaskedLM(encoder), None, num_candidates=4)
    for (text, expected), places in zip(SCRIPTS.items(), augmenter.places(list(SCRIPTS)), strict=True):
        changed = [word for word in expected if lowercase or word != "Кино"]  # a cased vocabulary has кино alone
        alone = [word for word in changed if [script_of(w) for w in LANGUAGES].count(script_of(word)) > 1]
        assert words_of(text, places) == [word for word in changed if word in alone]
        for place in places:
            word = text[place.start : place.end]
            assert place.candidates and word not in place.candidates
            assert {script_of(candidate) for candidate in place.candidates} == {script_of(word)}
            assert all(unicodedata.is_normalized("NFC", candidate) for candidate in place.candidates)


def test_without_ideographs_as_words_they_stay(make_encoder):
    tokenizer = BertTokenizer([*PIECES, "电", "影"], tokenize_chinese_chars=False)
    encoder = make_encoder(tokenizer=tokenizer, vocabulary_size=len(tokenizer.vocabulary))
    assert Augmenter(BertMaskedLM(encoder), None).places(["电 影"]) == [[]]


def test_stop_words_of_one_s_own(make_encoder, tmp_path):
    (tmp_path / "mine.txt").write_text("film\nGOOD\n", encoding="utf-8")
    augmenter = Augmenter(BertMaskedLM(make_encoder()), None, stop_words=read_stop_words(str(tmp_path / "mine.txt")))
    assert words_of("the good film is dull", augmenter.places(["the good film is dull"])[0]) == ["the", "is", "dull"]
    assert "the" in read_stop_words("english") and read_stop_words("") == ()
    with pytest.raises(InputError, match=r"stop_words: got no/such.txt .*; expected english, or a text file"):
        read_stop_words("no/such.txt")
