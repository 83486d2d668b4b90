"""Variants of questions and of their contexts, in which the answer stays as it is, and the file of them."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinybert_tf.augmentation.augmenter import Place
from tinybert_tf.augmentation.file import rows_of
from tinybert_tf.augmentation.variants import make_variants
from tinybert_tf.data.question_task import QuestionTask
from tinybert_tf.data.questions import Answers, Questions
from tinybert_tf.errors import InputError

_MARK = "\ue000"  # stands before the answer while the text around it changes; for private use, so in few texts
_COLUMNS = {"source", "text", "text_pair", "answers"}


def make_question_variants(
    asked: tuple[str, str, Answers],
    places: tuple[Sequence[Place], Sequence[Place]],
    num_variants: int,
    probability: float,
    rng: np.random.Generator,
) -> list[tuple[str, str, Answers]]:
    """Returns variants of a question, and of its context, each beside the original of the other.

    Words of the first right answer stay, and the answer's place follows the words before it. A context stays if it
    holds a character that is reserved here.

    Args:
        asked: The question, its context, and its right answers.
        places: The places where each of the two may change, from `Augmenter.places`.
        num_variants: Number of variants that are drawn of each, at most.
        probability: Probability that a place changes.
        rng: Generator of the draws.
    """
    question, context, answers = asked
    made = [(v, context, answers) for v in make_variants(question, places[0], num_variants, probability, rng)]
    if _MARK in context:
        return made
    text, start = answers[0] if answers else ("", len(context))
    before = [place for place in places[1] if place.end <= start]
    behind = [place for place in places[1] if place.start >= start + len(text)]
    moved = [Place(place.start + 1, place.end + 1, place.candidates) for place in behind]
    marked = context[:start] + _MARK + context[start:]
    for variant in make_variants(marked, [*before, *moved], num_variants, probability, rng):
        changed = variant.replace(_MARK, "")
        made.append((question, changed, ((text, variant.index(_MARK)),) if answers else ()))
    return made


def question_line(source: int, question: str, context: str, answers: Answers) -> str:
    """Returns the line of a question; `source` is the place of its original among the training questions."""
    row = {"source": source, "text": question, "text_pair": context, "answers": answers}
    return json.dumps(row, ensure_ascii=False) + "\n"


def read_augmented_questions(folder: str, task: QuestionTask, original_share: float) -> tuple[Questions, np.ndarray]:
    """Returns the questions of an augmentation, and how often a pass shows each, `[questions]`.

    Args:
        folder: Folder of a finished augmentation, or its file.
        task: Task that it was made for.
        original_share: Share of originals in a pass, if the file has fewer.

    Raises:
        InputError: There is no such augmentation, or it was made for another task.
    """
    rows, firsts, repeats = rows_of(folder, _COLUMNS, original_share)
    train = task.split("train")
    known = [(rows[place]["text"], rows[place]["text_pair"]) for place in firsts]
    if known != list(zip(train.questions, train.contexts)):
        got = f"{Path(folder)}, made from other training questions"
        raise InputError("augmented", got, f"an augmentation of {task.name}")
    contexts = {}
    answers = [tuple((str(text), int(start)) for text, start in row["answers"]) for row in rows]
    pairs = [contexts.setdefault(row["text_pair"], row["text_pair"]) for row in rows]
    return Questions([row["text"] for row in rows], pairs, answers), repeats
