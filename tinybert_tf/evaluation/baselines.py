"""What seconds of training give: the most frequent answer, and a linear model of words. A student must beat both."""

import re

import numpy as np
import scipy.sparse
import scipy.special
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier

from tinybert_tf.data.examples import Examples
from tinybert_tf.data.tasks import Task

TFIDF, MAJORITY = "tfidf", "majority"
NAMES = {TFIDF: "TF-IDF with a linear model", MAJORITY: "always the most frequent"}
_MOST_EXAMPLES = 100_000  # that a baseline learns from
_MOST_FEATURES = 200_000
_LEAST = 1e-7  # probability of a class that never occurs
_WORD = re.compile(r"\w")
_WITHOUT_BLANKS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")


def baselines(task: Task, examples: Examples, seed: int = 0) -> dict[str, np.ndarray]:
    """Trains the baselines on a task's training split, and lets them answer examples.

    Args:
        task: The task. Without labelled training examples of two classes there are no baselines.
        examples: The examples to answer.
        seed: Seed of the draw, where there are more than 100,000 training examples.

    Returns:
        By the baseline's name, logits in the task's order `[examples, classes]`, or numbers `[examples, 1]`.
    """
    train = task.splits.get("train")
    if train is None or train.labels is None or len(np.unique(train.labels, axis=0)) < 2:
        return {}
    if len(train) > _MOST_EXAMPLES:
        train = train.take(np.sort(np.random.default_rng(seed).permutation(len(train))[:_MOST_EXAMPLES]))
    found = {MAJORITY: _majority(task, train, examples)}
    columns = [name for name in ("texts", "text_pairs") if any(map(_WORD.search, getattr(train, name) or ()))]
    return {TFIDF: _tfidf(task, train, examples, columns)} | found if columns else found


def _tfidf(task: Task, train: Examples, examples: Examples, columns: list[str]) -> np.ndarray:
    ours, theirs = [], []
    for name in columns:
        counter = _counter(getattr(train, name))
        ours.append(counter.fit_transform(getattr(train, name)))
        theirs.append(counter.transform(getattr(examples, name)))
    ours, theirs = scipy.sparse.hstack(ours, "csr"), scipy.sparse.hstack(theirs, "csr")
    if task.is_regression:
        return Ridge().fit(ours, train.labels).predict(theirs)[:, None].astype(np.float64)
    model = OneVsRestClassifier(LogisticRegression(C=10.0, solver="liblinear", tol=1e-3))
    if task.multi_label:
        found = np.tile(train.labels.mean(0, dtype=np.float64), (len(examples), 1))
        varied = np.flatnonzero(np.ptp(train.labels, axis=0))  # scikit-learn warns of the others
        found[:, varied] = model.fit(ours, train.labels[:, varied]).predict_proba(theirs)[:, -len(varied) :]
    else:
        found = np.zeros((len(examples), len(task.labels)))
        probabilities = model.fit(ours, train.labels).predict_proba(theirs)
        found[:, model.classes_] = probabilities
    return _logits(task, found)


def _counter(texts: list[str]) -> TfidfVectorizer:
    """Returns a counter of words and pairs of words, or of characters in scripts that set no blanks between words."""
    sample = "".join(texts[:: max(1, len(texts) // 1000)])
    by_character = len(_WITHOUT_BLANKS.findall(sample)) > 0.2 * len(sample)
    unit = {"analyzer": "char"} if by_character else {"token_pattern": r"(?u)\b\w+\b"}
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=_MOST_FEATURES, **unit)


def _majority(task: Task, train: Examples, examples: Examples) -> np.ndarray:
    if task.is_regression:
        return np.full((len(examples), 1), np.mean(train.labels, dtype=np.float64))
    if task.multi_label:
        shares = train.labels.mean(0, dtype=np.float64)
    else:
        shares = np.bincount(train.labels, minlength=len(task.labels)) / len(train)
    return _logits(task, np.tile(shares, (len(examples), 1)))


def _logits(task: Task, probabilities: np.ndarray) -> np.ndarray:
    probabilities = np.clip(probabilities, _LEAST, 1 - _LEAST)
    return scipy.special.logit(probabilities) if task.multi_label else np.log(probabilities)
