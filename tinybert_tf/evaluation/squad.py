"""SQuAD's official metrics, exact match and F1, and the files that its scripts and servers read.

Answers are compared in lower case, without ASCII punctuation and without the words a, an and the (Rajpurkar et al.
2016, section 6.1; for questions without an answer: Rajpurkar et al. 2018, section 5).
"""

import collections
import re
import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinybert_tf.data.questions import Questions
from tinybert_tf.data.spans import Span
from tinybert_tf.files import json_text, write_text

PREDICTIONS, NULL_ODDS = "predictions.json", "null_odds.json"
METRICS = ("exact_match", "f1")

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_BOOTSTRAP_SAMPLES = 1000


def normalized(text: str) -> str:
    """Returns a text in lower case, without punctuation and articles, with one blank between words."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(prediction: str, answer: str) -> float:
    """Returns 1 if both are equal once normalized, else 0."""
    return float(normalized(prediction) == normalized(answer))


def f1(prediction: str, answer: str) -> float:
    """Returns the harmonic mean of precision and recall of a prediction's words; 1 if both texts have none."""
    ours, theirs = normalized(prediction).split(), normalized(answer).split()
    if not ours or not theirs:
        return float(ours == theirs)
    same = sum((collections.Counter(ours) & collections.Counter(theirs)).values())
    return 2 * same / (len(ours) + len(theirs))


def scores(questions: Questions, predictions: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns exact match and F1 of each prediction, against the best of the right answers.

    Args:
        questions: The questions, with answers.
        predictions: A text per question, "" for no answer, which is right where there is no right answer.

    Returns:
        `exact_match` and `f1`, float64 `[questions]`.
    """
    found = np.zeros((2, len(questions)))
    for place, (prediction, answers) in enumerate(zip(predictions, questions.answers, strict=True)):
        texts = dict.fromkeys(text for text, _ in answers if normalized(text)) or ("",)
        found[:, place] = [max(metric(prediction, text) for text in texts) for metric in (exact_match, f1)]
    return dict(zip(METRICS, found))


def evaluate(questions: Questions, spans: Sequence[Span], null_threshold: float | None = None) -> dict[str, float]:
    """Returns the official metrics of answers, as fractions.

    Args:
        questions: The questions, with answers.
        spans: The answer to each question.
        null_threshold: Odds of "no answer" above which that is the answer; None if one is always given.

    Returns:
        `exact_match` and `f1`. If there is a threshold, also both of the questions that have an answer
        (`has_answer_f1`) and of those that have none (`no_answer_f1`), where there are any; and the best that any
        threshold gives (`best_f1`, `best_f1_threshold`).
    """
    values = scores(questions, [span.text for span in spans])
    if null_threshold is None:
        return {name: float(rows.mean()) for name, rows in values.items()}
    odds = np.array([span.null_odds for span in spans])
    answerable = np.array([bool(answers) for answers in questions.answers])
    given = {name: np.where(odds > null_threshold, ~answerable, rows) for name, rows in values.items()}
    found = {name: float(rows.mean()) for name, rows in given.items()}
    for group, among in (("has_answer", answerable), ("no_answer", ~answerable)):
        if among.any():
            found |= {f"{group}_{name}": float(rows[among].mean()) for name, rows in given.items()}
    for name, rows in values.items():
        found[f"best_{name}"], found[f"best_{name}_threshold"] = best_threshold(rows, odds, answerable)
    return found


def best_threshold(values: np.ndarray, odds: np.ndarray, answerable: np.ndarray) -> tuple[float, float]:
    """Returns the highest mean that a threshold gives, and that threshold: the least of equally good ones.

    Args:
        values: A metric of each question's answer where one is given, `[questions]`.
        odds: The odds of "no answer", `[questions]`; an answer is given where they are not above the threshold.
        answerable: Whether the question has an answer, bool `[questions]`.
    """
    order = np.argsort(odds, kind="stable")
    # From "no answer" to all, to an answer to all: what each question gains when it gets one.
    gains = np.where(answerable, values, -1.0)[order]
    sums = np.concatenate([[0.0], np.cumsum(gains)]) + np.sum(~answerable)
    thresholds = np.concatenate([[odds.min() - 1.0], odds[order]])
    last_of_equal = np.append(thresholds[1:] > thresholds[:-1], True)
    place = np.flatnonzero(last_of_equal)[sums[last_of_equal].argmax()]
    return float(sums[place] / len(odds)), float(thresholds[place])


def interval(
    values: np.ndarray, other: np.ndarray | None = None, seed: int = 0, confidence: float = 0.95
) -> tuple[float, float]:
    """Returns the percentile bootstrap interval of a mean, from 1,000 draws of the questions.

    Args:
        values: A metric of each question, `[questions]`.
        other: The same of another model; the interval is then that of the difference, first minus other.
        seed: Seed of the draws.
        confidence: Share of the draws that fall into the interval.
    """
    values, rng = values if other is None else values - other, np.random.default_rng(seed)
    means = [values[rng.integers(len(values), size=len(values))].mean() for _ in range(_BOOTSTRAP_SAMPLES)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def write_predictions(folder: Path, questions: Questions, spans: Sequence[Span], with_null_odds: bool) -> None:
    """Writes the official `predictions.json`, a text by id, "" for no answer; and `null_odds.json`, if asked for.

    SQuAD 2.0's script reads the second one as `--na-prob-file`, with the threshold as `--na-prob-thresh`.
    """
    answers = {key: "" if span.no_answer else span.text for key, span in zip(questions.ids, spans)}
    write_text(folder / PREDICTIONS, json_text(answers))
    if with_null_odds:
        odds = {key: span.null_odds for key, span in zip(questions.ids, spans)}
        write_text(folder / NULL_ODDS, json_text(odds))
