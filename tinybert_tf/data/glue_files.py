"""GLUE's official files, as its download script leaves them: a folder per task, tabs, no quoting.

Labels, their order, rows and their order are those of TFDS, so that a task has the same fingerprint from either source.
"""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import logging

from tinybert_tf.data import glue
from tinybert_tf.data.examples import Examples
from tinybert_tf.data.files import content_of
from tinybert_tf.data.glue_layouts import LAYOUTS
from tinybert_tf.errors import InputError, naming
from tinybert_tf.files import path_of

ENVIRONMENT = "TINYBERT_GLUE"  # variable that names the folder where no flag does

Loaded = tuple[tuple[str, ...], tuple[str, ...], dict[str, Examples]]  # labels, metrics, splits


def check_task(glue_dir: str, name: str) -> None:
    """Raises InputError if a folder of GLUE's files is given for a task that is none of GLUE's, or for no task."""
    if glue_dir and name not in LAYOUTS:
        got = f"{glue_dir!r}, with {f'--task={name}' if name else 'no --task'}"
        raise InputError("glue_dir", got, f"a --task of GLUE ({', '.join(LAYOUTS)}) and no files of your own")


def load(name: str, glue_dir: str = "") -> Loaded:
    """Returns (labels, metrics, splits) of a GLUE task from its files, or from TFDS if no folder is named.

    Of files, ids are row numbers from 0, as GLUE's server expects them; splits whose files are missing are left out;
    what differs from the published files is logged.

    Args:
        name: Name of the task.
        glue_dir: Folder that holds a folder per task; by default that in the environment variable TINYBERT_GLUE.

    Raises:
        InputError: There is no such folder or none of the files, or one of them cannot be used; or TFDS lacks the data.
    """
    if glue_dir:
        return _load_files(name, glue_dir)
    if folder := os.environ.get(ENVIRONMENT):
        with naming(ENVIRONMENT, instead_of="glue_dir"):
            return _load_files(name, folder)
    return glue.load(name)


def _load_files(name: str, glue_dir: str) -> Loaded:
    layout, splits = LAYOUTS[name], {}
    folder = _folder_of(name, glue_dir)
    for split in glue.GLUE_TASKS[name].splits:
        table = _mrpc_table(folder, split) if name == "mrpc" else None
        table = table or _table_of(folder / layout.file_of(split), () if split.startswith("test") else layout.header)
        if table is None:
            told = "%s is not there, so that %s has no %s examples; GLUE publishes %s rows."
            logging.warning(told, folder / layout.file_of(split), name, split, f"{layout.rows[split]:,}")
            continue
        splits[split] = _examples(name, split, table)
        if len(splits[split]) != layout.rows[split]:
            rows = f"{len(splits[split]):,}", f"{layout.rows[split]:,}"
            logging.warning("%s has %s rows; GLUE publishes %s rows.", table.path, *rows)
    if not splits:
        files = ", ".join(layout.file_of(split) for split in glue.GLUE_TASKS[name].splits)
        raise InputError("glue_dir", f"{folder} without any file of {name}", f"one of {files}")
    return layout.labels, glue.GLUE_TASKS[name].metrics, splits


def _folder_of(name: str, glue_dir: str) -> Path:
    base, official = path_of(glue_dir), LAYOUTS[name].folder
    if not base.is_dir():
        raise InputError("glue_dir", f"{glue_dir!r}, which is not a folder", f"a folder that holds {official}")
    for folder in (base / official, base / name):
        if folder.is_dir():
            return folder
    raise InputError("glue_dir", f"{glue_dir!r} without {official}", f"a folder that holds {official} or {name}")


class _Row(NamedTuple):
    """A row: its line in the file, from 1, its number among the rows, from 0, and its fields."""

    line: int
    number: int
    fields: list[str]


@dataclasses.dataclass(frozen=True)
class _Table:
    """A file: its columns and rows."""

    path: Path
    columns: Sequence[str]
    rows: list[_Row]

    def place_of(self, column: str) -> int:
        """Returns the place of a column; raises InputError if there is none."""
        if column not in self.columns:
            shown = ", ".join(name[:40] for name in self.columns[:20])
            raise InputError("glue_dir", f"{self.path} without the column {column!r}", f"a header with it, not {shown}")
        return self.columns.index(column)


def _table_of(path: Path, header: Sequence[str] = ()) -> _Table | None:
    """Returns a file's table, None if there is no such file; its first line is the header unless one is given."""
    if not path.exists():
        return None
    text = content_of(str(path), "glue_dir")
    # Texts hold characters at which str.splitlines would cut too.
    lines = [(i, line.removesuffix("\r")) for i, line in enumerate(text.split("\n"), 1)]
    filled = [(i, line.split("\t")) for i, line in lines if line]
    if not header and filled:
        header = filled.pop(0)[1]
    return _Table(path, header, [_Row(line, number, fields) for number, (line, fields) in enumerate(filled)])


def _mrpc_table(folder: Path, split: str) -> _Table | None:
    """Returns a split of Microsoft's own files, as the download script makes it, where its .tsv is not there.

    The script takes the dev rows out of the training file by the pairs of ids in `dev_ids.tsv`, and leaves out the
    labels of the test file.
    """
    if (folder / LAYOUTS["mrpc"].file_of(split)).exists():
        return None
    table = _table_of(folder / f"msr_paraphrase_{'test' if split == 'test' else 'train'}.txt")
    if table is None:
        return None
    if split == "test":
        hidden = LAYOUTS["mrpc"].label
        return dataclasses.replace(table, columns=["" if name == hidden else name for name in table.columns])
    ids = _table_of(folder / "dev_ids.tsv", header=("#1 ID", "#2 ID"))
    if ids is None:
        raise InputError("glue_dir", f"{folder} without dev_ids.tsv", f"it, or {split}.tsv, beside {table.path.name}")
    places = [table.place_of(column) for column in ids.columns]
    _check_widths(table)
    _check_widths(ids)
    dev = {tuple(row.fields) for row in ids.rows}
    kept = [row for row in table.rows if (tuple(row.fields[place] for place in places) in dev) == (split == "dev")]
    return dataclasses.replace(table, rows=kept)


def _check_widths(table: _Table) -> None:
    for row in table.rows:
        if len(row.fields) != len(table.columns):
            got = f"{table.path}, line {row.line}, with {len(row.fields)} columns"
            raise InputError("glue_dir", got, f"{len(table.columns)}, with tabs between them")


def _examples(name: str, split: str, table: _Table) -> Examples:
    """Returns the examples of a table, without damaged rows, which are counted in the log."""
    layout = LAYOUTS[name]
    if layout.has_damaged_rows and not split.startswith("test"):
        whole = [row for row in table.rows if len(row.fields) >= len(table.columns)]
        if len(whole) < len(table.rows):
            told = "%s: %d damaged rows, which lack columns, are left out, as TFDS leaves them out."
            logging.warning(told, table.path, len(table.rows) - len(whole))
        table = dataclasses.replace(table, rows=whole)
    _check_widths(table)
    if not table.rows:
        raise InputError("glue_dir", f"{table.path} without any row for {split}", "examples")
    texts = []
    for column in layout.texts:
        place = table.place_of(column)
        texts.append([row.fields[place] for row in table.rows])
    known = layout.label in table.columns or not split.startswith("test")
    labels = _labels(name, table) if known else None
    return Examples(texts[0], texts[1] if len(texts) == 2 else None, labels, [row.number for row in table.rows])


def _labels(name: str, table: _Table) -> np.ndarray:
    layout, place = LAYOUTS[name], table.place_of(LAYOUTS[name].label)
    is_score = len(layout.labels) == 1
    # Files spell labels as the server wants them: by name, or by number.
    names = layout.labels if glue.GLUE_TASKS[name].submit_names else [str(i) for i in range(len(layout.labels))]
    numbers = {label: number for number, label in enumerate(names)}
    found = []
    for row in table.rows:
        text = row.fields[place]
        number = _score(text) if is_score else numbers.get(text)
        if number is None:
            expected = "a score from 0 to 5" if is_score else f"one of {', '.join(names)}"
            raise InputError("glue_dir", f"{table.path}, line {row.line}, with the label {text[:40]!r}", expected)
        found.append(number)
    return np.array(found, np.float32 if is_score else np.int64)


def _score(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 5 else None
