"""One answer of a teacher, as a row of JSON gives it: probabilities, logits, a number, a label, or several."""

import math
from collections.abc import Sequence

import numpy as np
from absl import logging
from scipy.special import expit, softmax

from tinybert_tf.data.files import shown
from tinybert_tf.data.labels import as_integer
from tinybert_tf.data.tasks import Task
from tinybert_tf.errors import InputError

_ROUNDED = 0.02  # how far a sum of probabilities may be from 1: three thirds of two decimals make 0.99


class AnswerReader:
    """Reads a teacher's answers to the texts of a task, as probabilities of its classes or as a number.

    Args:
        task: The task.
        names: Names of the classes in the order of lists, from `--teacher_labels`; the task's own order by default.

    Raises:
        InputError: The names are not those of the task's classes.
    """

    def __init__(self, task: Task, names: Sequence[str] = ()):
        self.task = task
        self._columns = task.columns_of(names or task.labels, "teacher_labels")
        self._classes = {label.lower(): number for number, label in enumerate(task.labels)}
        self._classes |= {label: number for number, label in enumerate(task.labels)}
        self._unnamed = {f"LABEL_{place}": int(number) for place, number in enumerate(np.argsort(self._columns))}
        self._readers = {"probabilities": self._probabilities, "logits": self._logits}
        self._readers |= {"labels": self._annotators, "label": self._label}
        if task.is_regression:
            self._readers = {"logits": self._only, "score": _number, "labels": _mean, "label": _number}

    def read(self, row: dict) -> np.ndarray:
        """Returns the answer in a row, float64 `[classes]`; the first of the keys that it has gives it.

        Raises:
            InputError: There is none, or it cannot be the answer to a text of the task.
        """
        key = next((key for key in self._readers if row.get(key) is not None), None)
        if key is None:
            raise _error(f"no answer among {shown(row)}", f"one of {', '.join(self._readers)}")
        return np.atleast_1d(np.asarray(self._readers[key](row[key]), np.float64))

    def _probabilities(self, given) -> np.ndarray:
        values = self._by_class(given, missing=0.0)
        if self.task.multi_label:
            if values.min() < 0 or values.max() > 1:
                raise _error(f"the probabilities {_short(given)}", "numbers from 0 to 1")
            return values
        if values.min() < 0 or abs(values.sum() - 1) > _ROUNDED:
            raise _error(f"the probabilities {_short(given)}", "numbers of 0 or more whose sum is 1")
        return values / values.sum()

    def _logits(self, given) -> np.ndarray:
        values = self._by_class(given)
        return expit(values) if self.task.multi_label else softmax(values)

    def _annotators(self, given) -> np.ndarray:
        """Returns the mean of several annotators' labels; of a multi-label task, a list of names is one annotator's."""
        if not isinstance(given, list):
            raise _error(f"the labels {_short(given)}", "a list")
        if self.task.multi_label and not any(isinstance(one, list) for one in given):
            return self._label(given)
        if not given:
            raise _error("no labels", "one or more")
        return np.mean([self._label(one) for one in given], axis=0)

    def _label(self, given) -> np.ndarray:
        row = np.zeros(len(self.task.labels))
        if isinstance(given, list) and not self.task.multi_label:
            raise _error(f"the label {_short(given)}", "one label; those of several annotators are labels")
        row[[self._class(name) for name in (given if isinstance(given, list) else [given])]] = 1.0
        return row

    def _by_class(self, given, missing: float | None = None) -> np.ndarray:
        """Returns numbers by class, from an object of them by name or a list in the teacher's order."""
        names, count = self.task.labels, len(self.task.labels)
        if isinstance(given, list):
            if len(given) != count:
                raise _error(f"{len(given)} numbers", f"{count}, in the order {shown(names)}")
            return np.array([_number(value) for value in given])[self._columns]
        if not isinstance(given, dict) or (missing is None and len(given) != count):
            raise _error(f"the numbers {_short(given)}", f"one for each of {shown(names)}")
        values = np.full(count, np.nan if missing is None else missing)
        for name, value in given.items():
            values[self._class(name)] = _number(value)
        if np.isnan(values).any():
            raise _error(f"the numbers {_short(given)}", f"one for each of {shown(names)}")
        return values

    def _class(self, name) -> int:
        known = isinstance(name, str | int | float) and not isinstance(name, bool)
        text = as_integer(str(name).strip()) if known else ""
        number = self._classes.get(text, self._classes.get(text.lower()))
        if number is None and text in self._unnamed:  # of a transformers model whose classes have no names
            logging.log_first_n(logging.INFO, "LABEL_0, LABEL_1 and so on are classes by place, as in lists.", 1)
            return self._unnamed[text]
        if number is None:
            raise _error(f"the label {_short(name)}", f"one of {shown(self.task.labels)}")
        return number

    @staticmethod
    def _only(given) -> float:
        if not isinstance(given, list) or len(given) != 1:
            raise _error(f"the numbers {_short(given)}", "a list of one number")
        return _number(given[0])


def _number(value) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise _error(f"{_short(value)}", "a number")
    return number


def _mean(values) -> float:
    if not isinstance(values, list) or not values:
        raise _error(f"the labels {_short(values)}", "a list of numbers")
    return sum(map(_number, values)) / len(values)


def _short(value) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:79]}…"


def _error(got: str, expected: str) -> InputError:
    return InputError("teacher_predictions", got, expected)
