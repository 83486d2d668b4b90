"""From start and end logits to answers: the best spans of the original text, over all windows of a question.

BERT's own script for SQuAD, but for one thing: all spans are compared, not those of the 20 best starts and ends.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tinybert_tf.data.windows import Window, Windows
from tinybert_tf.errors import InputError

MAX_ANSWER, N_BEST = 30, 20  # of BERT's script
KEPT = 4 * N_BEST  # spans of a window: some have the same text


@dataclasses.dataclass(frozen=True)
class Span:
    """An answer to a question, or none.

    Args:
        text: The answer, cut from the original context; that of the best span even where it is not given.
        start: The place of its first character in the context.
        end: The place after its last character.
        score: The sum of its start and end logits.
        probability: Probability of the answer that is given, "no answer" included, among the best spans.
        null_odds: Score of "no answer" minus that of the span.
        no_answer: Whether "no answer" is given: the odds are above the threshold.
    """

    text: str
    start: int
    end: int
    score: float
    probability: float
    null_odds: float
    no_answer: bool

    def as_dict(self) -> dict:
        """Returns what users see: `answer`, `start`, `end`, `probability`, `no_answer`; "", None, None for none."""
        found = ("", None, None) if self.no_answer else (self.text, self.start, self.end)
        answer = dict(zip(("answer", "start", "end"), found))
        return answer | {"probability": round(self.probability, 5), "no_answer": self.no_answer}


def spans_of(
    windows: Windows,
    start_logits: Sequence[np.ndarray],
    end_logits: Sequence[np.ndarray],
    null_threshold: float | None = None,
    max_answer: int = MAX_ANSWER,
) -> list[Span]:
    """Returns an answer to each question.

    Args:
        windows: The windows of the questions.
        start_logits: Per window, floats `[length]`; whatever follows a window's own tokens is not looked at.
        end_logits: The same for the last token.
        null_threshold: Odds of "no answer" above which that is the answer; None for a model that always answers.
        max_answer: Most WordPieces of an answer.
    """
    found = []
    for question, context in enumerate(windows.questions.contexts):
        parts = [(windows[place], start_logits[place], end_logits[place]) for place in windows.of(question)]
        found.append(best_span(context, parts, null_threshold, max_answer))
    return found


def best_span(
    context: str,
    parts: Sequence[tuple[Window, np.ndarray, np.ndarray]],
    null_threshold: float | None = None,
    max_answer: int = MAX_ANSWER,
) -> Span:
    """Returns the answer to one question.

    "No answer" scores what [CLS] scores as start and end, in the window where that is least. The probability is a
    softmax over the scores of the 20 best spans of different text, and of "no answer" if there is a threshold.

    Args:
        context: The original text.
        parts: Each window of the question, its start logits and its end logits.
        null_threshold: Odds of "no answer" above which that is the answer; None for a model that always answers.
        max_answer: Most WordPieces of an answer.

    Raises:
        InputError: No span has a score that is a number.
    """
    ranked = []  # (score, first character, character after the last)
    for window, starts, ends in parts:
        scores, firsts, lasts = _best_in(window, starts, ends, max_answer)
        at = window.offsets
        ranked += zip(scores.tolist(), at[firsts, 0].tolist(), at[lasts, 1].tolist())
    ranked.sort(key=lambda span: -span[0])  # stable: of equal spans the earlier window's, then the earlier start's
    by_text = {}
    for score, start, end in ranked:
        by_text.setdefault(context[start:end], (score, start, end))
        if len(by_text) == N_BEST:
            break
    if not by_text:
        raise InputError("model", "logits that are no numbers", "finite start and end logits")
    text, (best, start, end) = next(iter(by_text.items()))
    null = min(float(starts[0]) + float(ends[0]) for _, starts, ends in parts)
    no_answer = null_threshold is not None and null - best > null_threshold
    scores = np.array([score for score, _, _ in by_text.values()] + ([] if null_threshold is None else [null]))
    powers = np.exp(scores - scores.max())
    probability = float(powers[-1 if no_answer else 0] / powers.sum())
    return Span(text, start, end, best, probability, null - best, no_answer)


def _best_in(window: Window, starts: np.ndarray, ends: np.ndarray, max_answer: int) -> tuple[np.ndarray, ...]:
    """Returns scores, first and last WordPieces of a window's best spans, best first.

    A span begins at a WordPiece that no other window shows with more context, if there is one.
    """
    count = len(window.offsets)
    part = slice(window.first, window.first + count)
    firsts = np.flatnonzero(window.best)
    tails = np.full(count + max_answer - 1, -np.inf)
    tails[:count] = ends[part]
    lasts = np.lib.stride_tricks.sliding_window_view(tails, max_answer)[firsts]
    scores = (np.asarray(starts[part], np.float64)[firsts, None] + lasts).ravel()
    if scores.size > KEPT:
        least = np.partition(scores, -KEPT)[-KEPT]
        places = np.flatnonzero((scores >= least) & np.isfinite(scores))
    else:
        places = np.flatnonzero(np.isfinite(scores))
    places = places[np.argsort(-scores[places], kind="stable")][:KEPT]
    return scores[places], firsts[places // max_answer], firsts[places // max_answer] + places % max_answer
