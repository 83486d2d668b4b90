"""Windows over long contexts, and the way back from tokens to characters of the original text."""

import numpy as np
import pytest

from tests.data.squad_data import REAL, VOCABULARY, questions, tokenizer
from tinybert_tf import assets
from tinybert_tf.data.question_files import read_questions
from tinybert_tf.data.windows import windows_of
from tinybert_tf.errors import InputError
from tinybert_tf.tflite.tokenizer import bert_tokenizer

WORDS = ("a", "fine", "film", "is", "good", "and", "it")


def test_a_row_is_question_and_context():
    windows = windows_of(questions(("who?", "a Fine film.", ["film"])), tokenizer())
    (window,) = windows
    names = [VOCABULARY[i] for i in window.token_ids]
    assert names == ["[CLS]", "who", "?", "[SEP]", "a", "fine", "film", ".", "[SEP]"]
    assert window.segment_ids.tolist() == [0] * 4 + [1] * 5
    assert window.context_mask.tolist() == [False] * 4 + [True] * 4 + [False]
    assert window.offsets.tolist() == [[0, 1], [2, 6], [7, 11], [11, 12]]
    assert windows.labels().tolist() == [[6, 6]] and len(windows) == 1


def test_rows_are_those_of_a_pair_of_texts():
    made = questions(("who is it?", "a fine film.", ["film"]), ("what", "dull", ["dull"]))
    rows = tokenizer().encode_batch(list(zip(made.questions, made.contexts)))
    batch = windows_of(made, tokenizer()).batch([0, 1])
    for place, row in enumerate(rows):
        padding = [0] * (batch["token_ids"].shape[1] - len(row.ids))
        assert batch["token_ids"][place].tolist() == row.ids + padding
        assert batch["segment_ids"][place].tolist() == row.type_ids + padding
        assert batch["padding_mask"][place].tolist() == row.attention_mask + padding
    assert windows_of(made, tokenizer()).batch([1], length=20)["token_ids"].shape == (1, 20)


def spans(length, room, stride):
    """BERT's windows, as its script makes them: (begin, size)."""
    found, begin = [], 0
    while begin < length:
        size = min(room, length - begin)
        found.append((begin, size))
        if begin + size == length:
            break
        begin += min(size, stride)
    return found


@pytest.mark.parametrize("length", [1, 10, 11, 12, 14, 15, 40])
@pytest.mark.parametrize("stride", [1, 4, 10, 99])
def test_windows_and_their_best_tokens_are_berts(length, stride):
    context = " ".join(WORDS[i % 7] for i in range(length))
    windows = windows_of(questions(("who", context, [])), tokenizer(), 14, stride, max_question=2)
    expected = spans(length, 10, stride)
    assert windows.rows[:, 1:].tolist() == [list(span) for span in expected]
    for place in range(length):
        scores = {
            i: min(place - begin, begin + size - 1 - place) + 0.01 * size
            for i, (begin, size) in enumerate(expected)
            if begin <= place < begin + size
        }
        best = [i for i, window in enumerate(windows) if i in scores and window.best[place - expected[i][0]]]
        assert best == [max(scores, key=scores.get)]  # the first of equal ones


def test_an_answer_that_a_window_cuts_is_in_another_one():
    context = "a fine film is good and it is a dull story"
    windows = windows_of(questions(("who", context, ["good and it"])), tokenizer(), 9, 2, max_question=2)
    labels = windows.labels()
    assert windows.rows[:, 1].tolist() == [0, 2, 4, 6]
    assert labels.tolist() == [[0, 0], [5, 7], [3, 5], [0, 0]]
    for window, (first, last) in zip(windows, labels):
        if first:
            begin, end = window.offsets[first - window.first, 0], window.offsets[last - window.first, 1]
            assert context[begin:end] == "good and it"


def test_a_question_without_an_answer_and_several_answers():
    made = questions(("who", "a fine film", []), ("who", "a fine film", ["film", "fine"]))
    assert windows_of(made, tokenizer()).labels().tolist() == [[0, 0], [5, 5]]


@pytest.mark.parametrize(
    "context, answer, expected",
    [
        ("a CAFÉ is", "CAFÉ", "CAFÉ"),
        ("a cafe\u0301 is", "cafe\u0301", "cafe\u0301"),  # the accent is a character of its own
        ("a cafe\u0301s is", "cafe\u0301", "cafe\u0301"),
        ("中文film中", "文", "文"),
        ("good😀 film 👩\u200d👩\u200d👧!", "👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("a ❤\ufe0f film", "❤\ufe0f", "❤\ufe0f"),
        ("한 film", "한", "한"),  # one character, three WordPieces
        ("İ film", "İ", "İ"),  # one character, two when lower-cased
        ("a\u00a0\u00a0film\u00ad is\x07 it", "film\u00ad is", "film\u00ad is"),
        ("played films", "play", "play"),
        ("filming", "film", "film"),
        ("dullness film", "dull", "dullness"),  # an unknown word has one token
        ("a  fine \n film", " fine \n film ".rstrip(), "fine \n film"),
        ("a" * 101 + " film", "aaa", "a" * 101),
    ],
)
def test_offsets_are_those_of_the_original_text(context, answer, expected):
    made = questions(("who", "😀 " + context, [answer]))
    windows = windows_of(made, tokenizer())
    (window,), ((first, last),) = windows, windows.labels()
    begin, end = window.offsets[first - window.first, 0], window.offsets[last - window.first, 1]
    assert made.contexts[0][begin:end] == expected


def test_accents_that_a_cased_vocabulary_keeps():
    made = questions(("who", "a cafe\u0301 film", ["film"]))
    (window,) = windows_of(made, tokenizer(lowercase=False, strip_accents=False))
    assert window.offsets.tolist() == [[0, 1], [2, 7], [8, 12]]


def test_a_context_of_20000_characters():
    context = "é film 中 good😀 " * 1400
    assert len(context) > 20_000
    made = questions(("what", context + "dull", ["dull"]))
    windows = windows_of(made, tokenizer())
    assert (windows.lengths <= 384).all() and windows.labels().any(axis=1).sum() == 1
    covered = np.zeros(5601, int)
    for _, begin, size in windows.rows:
        covered[begin : begin + size] += 1
    assert covered.min() == 1 and sum(window.best.sum() for window in windows) == 5601


def test_long_questions_are_cut_and_counted_or_refused():
    made = questions(("who " * 70, "a film", ["film"]), ("who", "a film", ["film"]))
    windows = windows_of(made, tokenizer())
    assert windows.num_cut == 1 and windows.lengths.tolist() == [64 + 5, 1 + 5]
    with pytest.raises(InputError) as error:
        windows_of(made, tokenizer(), bad_lines="refuse")
    told = f"got 70 WordPieces in the question '{('who ' * 15).rstrip()} '; expected at most 64"
    assert str(error.value) == f"max_question: {told}"


def test_what_has_no_windows():
    made = questions(("who", "a film", ["film"]), ("who", "\x07\u200b", []))
    with pytest.raises(InputError, match="context: got that of the question '1', without a word; expected a text"):
        windows_of(made, tokenizer())
    with pytest.raises(InputError, match="sequence_length: got 67; expected at least 68: the question's 64"):
        windows_of(made.take([0]), tokenizer(), sequence_length=67)
    with pytest.raises(InputError, match="stride: got 0; expected at least 1"):
        windows_of(made.take([0]), tokenizer(), stride=0)


@pytest.mark.assets
def test_every_real_answer_is_found_again():
    """All 34,726 answers to the 10,570 questions of the official dev set; WordPieces cut 77 of them."""
    file = REAL / "dev-v1.1.json"
    if not file.exists():
        pytest.skip("no dev-v1.1.json: TINYBERT_SQUAD names the folder that holds it")
    made = read_questions(file, bad_lines="refuse")
    vocabulary = (assets.fetch("minilm_l6") / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
    windows = windows_of(made, bert_tokenizer(vocabulary, lowercase=True), bad_lines="refuse")
    found = [False] * len(made)
    for window, (first, last) in zip(windows, windows.labels()):
        if first:
            begin, end = window.offsets[first - window.first, 0], window.offsets[last - window.first, 1]
            text, context = made.answers[window.question][0][0], made.contexts[window.question]
            found[window.question] |= text.strip() in context[begin:end]
    cut = 0
    for place, answers in enumerate(made.answers):
        for text, start in answers:
            first, last = windows.pieces_of(place, text, start)
            begin, end = windows.offsets_of(place)[[first, last], [0, 1]]
            assert text.strip() in made.contexts[place][begin:end]
            cut += text.strip() != made.contexts[place][begin:end]
    assert len(made) == 10_570 and len(windows) == 10_833 and all(found) and cut == 77
