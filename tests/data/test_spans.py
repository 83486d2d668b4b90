"""Decoding: by hand, and against a search that tries every span."""

import numpy as np
import pytest

from tests.data.squad_data import questions, tokenizer
from tinybert_tf.data.spans import best_span, spans_of
from tinybert_tf.data.windows import windows_of
from tinybert_tf.errors import InputError

WORDS = ("a", "fine", "film", "is", "good", "and", "it", "the", "story", "dull")


def made(context="a fine film is good", length=20, stride=128, **options):
    return windows_of(questions(("who", context, [])), tokenizer(), length, stride, max_question=2, **options)


def logits(windows, *peaks, null=(0.0, 0.0)):
    """Logits of -9 but for [CLS], and for (window, token, value of the start, value of the end)."""
    rows = np.full((2, len(windows), int(windows.lengths.max())), -9.0, np.float32)
    rows[:, :, 0] = np.array(null)[:, None] / 2
    for window, token, *values in peaks:
        rows[:, window, token] = values
    return rows


def test_by_hand():
    windows = made()  # [CLS] who [SEP] a fine film is good [SEP]
    rows = logits(windows, (0, 4, 3, -9), (0, 5, 1, 2), (0, 1, 99, 99), (0, 8, 99, 99), null=(0, 1))
    (span,) = spans_of(windows, *rows)
    assert (span.text, span.start, span.end) == ("fine film", 2, 11)
    assert span.score == 5 and span.null_odds == 0.5 - 5 and not span.no_answer
    others = [1 + 2, 3 - 9] + [-9 + 2, -9 + 2, 1 - 9] + 3 * [-6.0] + [-18.0] * 99
    assert span.probability == pytest.approx(np.exp(5) / np.exp([5.0, *others[:20]]).sum(), rel=2e-5)
    assert span.as_dict() == {
        "answer": "fine film",
        "start": 2,
        "end": 11,
        "probability": round(span.probability, 5),
        "no_answer": False,
    }


def test_no_answer_by_the_threshold():
    windows = made()
    rows = logits(windows, (0, 4, 2, 2), null=(5, 5))
    answers = {threshold: spans_of(windows, *rows, threshold)[0] for threshold in (None, 1.0, 0.9, 0.0)}
    assert [span.no_answer for span in answers.values()] == [False, False, True, True]
    assert {span.null_odds for span in answers.values()} == {1.0}
    given, none = answers[1.0], answers[0.9]
    assert none.probability == pytest.approx(given.probability * np.e) and answers[None].probability > 0.99
    assert given.text == none.text == "fine"
    assert none.as_dict() == {
        "answer": "",
        "start": None,
        "end": None,
        "probability": round(none.probability, 5),
        "no_answer": True,
    }


def test_no_answer_scores_as_in_the_window_that_says_it_least():
    windows = made("a fine film is good and it is dull", length=9, stride=3)
    rows = logits(windows, (0, 4, 2, 2))
    rows[:, :, 0] = np.array([[3, 1, 4]])[:, : len(windows)]
    assert spans_of(windows, *rows)[0].null_odds == 2 * 1 - 4


@pytest.mark.parametrize("seed", range(4))
def test_against_every_span(seed):
    rng = np.random.default_rng(seed)
    context = " ".join(rng.choice(WORDS, 37))
    windows = made(context, length=16, stride=5)
    rows = rng.normal(0, 3, (2, len(windows), 16)).astype(np.float32)
    found = {}
    for place, window in enumerate(windows):
        starts, ends = rows[:, place].astype(np.float64)
        for first in range(len(window.offsets)):
            for last in range(first, min(first + 4, len(window.offsets))):
                if window.best[first]:
                    text = context[window.offsets[first, 0] : window.offsets[last, 1]]
                    score = starts[window.first + first] + ends[window.first + last]
                    found[text] = max(score, found.get(text, -np.inf))
    null = min(rows[:, place, 0].astype(np.float64).sum() for place in range(len(windows)))
    scores = sorted(found.values(), reverse=True)
    (span,) = spans_of(windows, *rows, null_threshold=1e9, max_answer=4)
    assert found[span.text] == span.score == scores[0] and context[span.start : span.end] == span.text
    assert span.null_odds == pytest.approx(null - scores[0], rel=1e-15)
    powers = np.exp([*scores[:20], null] - np.max(scores[0]))
    assert span.probability == pytest.approx(powers[0] / powers.sum(), rel=1e-12)


def test_the_first_of_equal_spans():
    windows = made("film good film good", length=20)
    rows = np.zeros((2, 1, 20), np.float32)
    (span,) = spans_of(windows, *rows)
    assert (span.text, span.start) == ("film", 0)
    assert span.probability == pytest.approx(1 / 7)  # ten spans; film, good, and both, are there twice


def test_each_question_has_its_own_windows():
    asked = questions(("who", "a fine film is good and dull", []), ("who", "the story", []))
    windows = windows_of(asked, tokenizer(), 9, 3, max_question=2)
    rows = logits(windows, (0, 4, 1, 1), (len(windows) - 1, 4, 1, 1))
    spans = spans_of(windows, list(rows[0]), list(rows[1]))
    assert [span.text for span in spans] == ["fine", "story"]
    window = windows[len(windows) - 1]
    assert best_span("the story", [(window, rows[0, -1], rows[1, -1])]) == spans[1]


def test_texts_are_cut_from_the_original():
    windows = made("The CAFÉ\u0301  中文!", length=20)  # [CLS] who [SEP] the cafe 中 文 ! [SEP]
    (span,) = spans_of(windows, *logits(windows, (0, 4, 5, 0), (0, 6, 0, 5)))
    assert span.text == "CAFÉ\u0301  中文" and span.start == 4


def test_logits_that_are_no_numbers():
    windows = made()
    with pytest.raises(InputError, match="model: got logits that are no numbers; expected finite start and end logits"):
        spans_of(windows, *logits(windows) * np.nan)
