"""Labels: from the words in a table to class numbers, sets of classes, or numbers to predict."""

import math
import re
from collections.abc import Iterable, Sequence

import numpy as np
from absl import logging

from tinybert_tf.data.examples import Examples
from tinybert_tf.data.files import Table, shown
from tinybert_tf.errors import InputError

_SEPARATORS = "|;,"  # what people put between several labels in one field
_LONGEST = 300  # digits of a whole number; beyond some thousands Python reads none
_WHOLE = re.compile(rf"(-?\d{{1,{_LONGEST}}})\.0*", re.ASCII)
_BLUR = 0.01  # of the numbers' deviation
_UNNAMED = re.compile(r"LABEL_\d+", re.ASCII)


def label_names(table: Table) -> tuple[str, ...]:
    """Returns the classes of a training table: integers in the order of their value, other labels by name.

    1.0 is 1 where all labels are numbers: pandas writes whole numbers so if one of them was missing.

    Raises:
        InputError: There are fewer than two classes, or the labels are numbers with fractions.
    """
    if table.labels is None:
        raise InputError(table.argument, f"{table.path} without labels", "labelled texts")
    names = names_in(table)
    if all(_number(name) is not None for name in names):
        names = {as_integer(name) for name in names}
        _refuse_fractions(table)
    if len(names) < 2:
        raise InputError(table.argument, f"{table.path} with the one label {', '.join(names)!r}", "two classes or more")
    if not table.has_label_sets:
        _suggest_separator(table, names)
    whole = all(name.removeprefix("-").isdecimal() and len(name) <= _LONGEST for name in names)
    return tuple(sorted(sorted(names), key=int if whole else None))


def names_in(table: Table) -> set[str]:
    """Returns the labels that a table has, as they are written."""
    return {name for labels in table.labels or () for name in _as_set(labels)}


def to_examples(table: Table, labels: Sequence[str] | None, multi_label: bool = False) -> Examples:
    """Returns a table's examples, with labels as numbers.

    Args:
        table: Content of the file.
        labels: The classes, or None for regression.
        multi_label: Whether a text may have any number of the classes.

    Raises:
        InputError: A label is not among the classes, or is not a number.
    """
    texts, ids = table.texts, list(range(len(table.texts)))
    if table.labels is None:
        return Examples(texts, table.text_pairs, None, ids)
    if labels is None:
        numbers = _in_32_bits(table, np.array([_score(table, place) for place in ids]))
    else:
        classes = {name: number for number, name in enumerate(labels)}
        sets = [_classes(table, place, classes) for place in ids]
        numbers = _rows_of_sets(sets, len(classes)) if multi_label else np.array(_only_ones(table, sets), np.int64)
    return Examples(texts, table.text_pairs, numbers, ids)


def are_unnamed(labels: Sequence[str]) -> bool:
    """Returns whether these are LABEL_0, LABEL_1 and so on: what transformers writes for classes without names."""
    return len(labels) > 1 and all(_UNNAMED.fullmatch(label) for label in labels)


def _as_set(labels: str | tuple[str, ...]) -> tuple[str, ...]:
    return labels if isinstance(labels, tuple) else (labels,)


def _number(label: str) -> float | None:
    try:
        value = float(label)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def as_integer(label: str) -> str:
    """Returns 1 for 1.0, and any other label as it is."""
    match = _WHOLE.fullmatch(label)
    return str(int(match[1])) if match else label


def _refuse_fractions(table: Table) -> None:
    for labels, row in zip(table.labels, table.rows):
        for name in _as_set(labels):
            if "." in as_integer(name):
                got = f"{table.path}, row {row}, with the number {name} as label"
                raise InputError(table.argument, got, "classes, or --regression for numbers")


def _suggest_separator(table: Table, names: Iterable[str]) -> None:
    """Says what --label_separator would do where most classes are made of parts that others have too."""
    for separator in _SEPARATORS:
        parts = {name: [part.strip() for part in name.split(separator)] for name in names}
        combined = sorted(name for name in parts if len(parts[name]) > 1 and all(parts[name]))
        if 2 * len(combined) >= len(parts) and len({part for name in parts for part in parts[name]}) <= len(parts):
            message = "%s: %d of %d classes are combinations such as %r; --label_separator='%s' reads several labels."
            logging.warning(message, table.path, len(combined), len(parts), combined[0], separator)
            return


def _score(table: Table, place: int) -> float:
    label = table.labels[place]
    number = None if isinstance(label, tuple) else _number(label)
    if number is None or abs(number) > float(np.finfo(np.float32).max):
        raise InputError(table.argument, _where(table, place), "a number, of at most 38 digits")
    return number


def _in_32_bits(table: Table, numbers: np.ndarray) -> np.ndarray:
    """Returns numbers as float32, unless it blurs them: 1700000000 and 1700000060 are one number there."""
    rounded = numbers.astype(np.float32)
    if np.ptp(numbers) and np.abs(rounded - numbers).max() > _BLUR * numbers.std():
        got = f"{table.path} with numbers from {numbers.min():.10g} to {numbers.max():.10g}, which 32 bits round"
        raise InputError(table.argument, got, f"numbers nearer to 0, for example less {numbers.mean():.4g}")
    return rounded


def _classes(table: Table, place: int, classes: dict[str, int]) -> list[int]:
    """Returns the numbers of a row's classes."""
    found = [classes.get(name, classes.get(as_integer(name))) for name in _as_set(table.labels[place])]
    if None in found:
        raise InputError(table.argument, _where(table, place), f"a label of the training file: {shown(classes)}")
    return found


def _only_ones(table: Table, sets: list[list[int]]) -> list[int]:
    for place, labels in enumerate(table.labels):
        if isinstance(labels, tuple):
            raise InputError(table.argument, _where(table, place), "one class per text, as in training")
    return [numbers[0] for numbers in sets]


def _rows_of_sets(sets: list[list[int]], count: int) -> np.ndarray:
    """Returns 1 where a text has a class and 0 elsewhere, float32 `[texts, classes]`."""
    rows = np.zeros((len(sets), count), np.float32)
    for row, numbers in zip(rows, sets):
        row[numbers] = 1.0
    return rows


def _where(table: Table, place: int) -> str:
    label = table.labels[place]
    return (
        f"{table.path}, row {table.rows[place]}, with the label {list(label) if isinstance(label, tuple) else label!r}"
    )
