"""Checks of questions that are read: what cannot be one is refused, and wrong offsets of answers are mended."""

from absl import logging

from tinybert_tf.data.files import SURROGATE
from tinybert_tf.data.questions import Answers, Questions
from tinybert_tf.errors import InputError


class QuestionReader:
    """Gathers checked questions: what cannot be one is refused, and wrong offsets are mended and counted.

    Args:
        source: The file, or the name of another source.
        argument: Name of the argument that errors blame.
        unanswerable: Whether a question may have no answer, as in SQuAD 2.0.
        answers_may_lack: Whether the source may be without answers, as one that is only predicted on.
        bad_lines: "skip" mends offsets, and leaves out questions without any answer in their context, and counts
            both; "refuse" raises InputError.
    """

    def __init__(self, source, argument: str, unanswerable: bool, answers_may_lack: bool, bad_lines: str):
        self.source, self.argument = source, argument
        self.unanswerable, self.answers_may_lack = unanswerable, answers_may_lack
        self.refuse = bad_lines == "refuse"
        self._rows: dict[str, tuple[str, str, Answers | None]] = {}  # by id
        self._contexts: dict[str, str] = {}
        self._unanswered: list[str] = []
        self._mended: list[str] = []
        self._left_out: list[str] = []

    def add(self, row: dict, context: object) -> None:
        """Adds a question: `id`, `question`, `answers` as `[{"text", "answer_start"}, …]`, `is_impossible`.

        Raises:
            InputError: It cannot be one, or is bad and bad ones are refused.
        """
        key = row.get("id")
        key = str(len(self._rows) + len(self._left_out) if key is None else key)
        question = self._text(row.get("question"), "question", key)
        context = self._text(context, "context", key)
        if key in self._rows:
            raise self._error(key, "twice", "each id once: predictions go by it")
        answers = row.get("answers")
        if answers is None and not row.get("is_impossible"):
            if not self.answers_may_lack:
                raise self._error(key, "without answers", "a list of answers, each with text and answer_start")
        else:
            answers = () if row.get("is_impossible") else self._answers(answers, context, key)
            if answers is None:
                self._left_out.append(key)
                return
            if not answers:
                self._unanswered.append(key)
        self._rows[key] = question, self._contexts.setdefault(context, context), answers

    def questions(self) -> Questions:
        """Returns the questions.

        Raises:
            InputError: There are none, or more are left out than stay; or some have no answer and must have one.
        """
        if self._unanswered and not self.unanswerable:
            got = f"{self.source} with {len(self._unanswered):,} questions without an answer, as in SQuAD 2.0"
            first = f" (the first has the id {self._unanswered[0]!r})"
            raise InputError(self.argument, got + first, "SQuAD 1.1, where all have one; or --task=squad_v2")
        if len(self._left_out) > len(self._rows):
            got = f"{self.source}, where {len(self._left_out):,} questions have no answer that is in their context"
            raise InputError(self.argument, got, "answers that are cut from their contexts")
        if not self._rows:
            raise InputError(self.argument, f"{self.source} without any question", "questions")
        for keys, told in (
            (self._mended, "offsets of answers were mended in %d questions: %s."),
            (self._left_out, "%d questions are left out, whose answers are not in their contexts: %s."),
        ):
            if keys:
                logging.warning(f"%s: {told}", self.source, len(keys), _some(keys))
        questions, contexts, answers = map(list, zip(*self._rows.values()))
        known = [row is not None for row in answers]
        if any(known) and not all(known):
            raise self._error(list(self._rows)[known.index(False)], "without answers", "answers to all or to none")
        counts = len(self._mended), len(self._left_out)
        return Questions(questions, contexts, answers if all(known) else None, list(self._rows), *counts)

    def _answers(self, answers: object, context: str, key: str) -> Answers | None:
        """Returns the answers that are in the context; None if there are some and none is."""
        if isinstance(answers, dict):  # Hugging Face's and TFDS's columns
            columns = answers.get("text"), answers.get("answer_start")
            if not all(isinstance(column, list) for column in columns) or len(columns[0]) != len(columns[1]):
                raise self._error(key, "whose answers have no lists text and answer_start", "lists of equal length")
            answers = [{"text": text, "answer_start": start} for text, start in zip(*columns)]
        if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
            raise self._error(key, f"with the answers {str(answers)[:60]}", "a list of objects with text, answer_start")
        found, mended = [], False
        for answer in answers:
            text, given = answer.get("text"), answer.get("answer_start")
            start = _place_of(text, given, context) if isinstance(text, str) and text.strip() else None
            wrong = start != given or isinstance(given, bool | float)
            if wrong and self.refuse:
                shown = f"whose answer {str(text)[:60]!r} is not at {given!r} in its context"
                expected = "an answer in its context" if start is None else f"{start}, as a number"
                raise self._error(key, shown, f"{expected} (--bad_lines=skip mends or leaves out)")
            if start is not None:
                found.append((text, start))
                mended |= wrong
        if mended:
            self._mended.append(key)
        return tuple(found) if found or not answers else None

    def _text(self, value: object, name: str, key: str) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self._error(key, f"without a {name}", f"a text in {name!r}")
        if SURROGATE.search(value):
            raise self._error(key, f"whose {name} has half a surrogate pair", "Unicode")
        return value

    def _error(self, key: str, got: str, expected: str) -> InputError:
        return InputError(self.argument, f"{self.source}, question {key[:60]!r} {got}", expected)


def _some(keys: list[str]) -> str:
    return ", ".join(repr(key) for key in keys[:3]) + (", …" if len(keys) > 3 else "")


def _place_of(text: str, given: object, context: str) -> int | None:
    """Returns the place of an answer in a context, the nearest to the given one; None if it is not in it."""
    if isinstance(given, int) and given >= 0 and context.startswith(text, given):
        return int(given)
    try:
        near = int(given)
    except (TypeError, ValueError, OverflowError):
        near = 0
    before = context.rfind(text, 0, max(0, near) + len(text))
    after = context.find(text, max(0, near))
    places = [place for place in (before, after) if place >= 0]
    return min(places, key=lambda place: abs(place - near)) if places else None
