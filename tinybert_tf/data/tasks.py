"""Labelled data in one form: GLUE through TFDS or from its files, the packaged tasks, and a user's own files."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from absl import logging

from tinybert_tf.data import glue, glue_files, packaged
from tinybert_tf.data.examples import Examples
from tinybert_tf.data.labels import are_unnamed, label_names, names_in, to_examples
from tinybert_tf.data.own_files import Files
from tinybert_tf.data.splits import held_out, held_out_texts, split_of
from tinybert_tf.errors import InputError

OWN_FILES = "files"  # name of the task that a user's own files are
DEV_SHARE = 0.1  # share of a user's training file, if no dev file is given


@dataclasses.dataclass(frozen=True)
class Task:
    """A task and its examples.

    Args:
        name: Name of the task, as for `--task`; a user's own files are called "files".
        labels: Class names in the order of the class numbers; `("score",)` for regression.
        metrics: Names of metrics, see `tinybert_tf.evaluation.metrics`.
        splits: Examples by split: "train", "dev", "test", and for some tasks more ("dev_mismatched").
        asset: Packaged asset that the task is read from, if any.
        multi_label: Whether a text may have any number of the classes.
        choose_by: Names of the metrics whose mean chooses checkpoints; all of `metrics` by default.
    """

    name: str
    labels: tuple[str, ...]
    metrics: tuple[str, ...]
    splits: dict[str, Examples]
    asset: str = ""
    multi_label: bool = False
    choose_by: tuple[str, ...] = ()

    @property
    def is_regression(self) -> bool:
        """Whether the labels are numbers."""
        return len(self.labels) == 1

    @property
    def is_own(self) -> bool:
        """Whether these are a user's own files, and no task whose metrics and recipe others have set."""
        return self.name == OWN_FILES

    @property
    def report_split(self) -> str:
        """The split on which results are reported: "test" if its labels are known or there is no other, else "dev".

        GLUE keeps the labels of its test sets secret.
        """
        test = self.splits.get("test")
        return "dev" if "dev" in self.splits and (test is None or test.labels is None) else "test"

    def split(self, name: str, argument: str = "task") -> Examples:
        """Returns a split.

        Raises:
            InputError: The task has no split of this name.
        """
        if name not in self.splits:
            raise InputError(argument, f"{self.name} without {name} examples", f"one of {', '.join(self.splits)}")
        return self.splits[name]

    def texts(self, name: str) -> Iterator[str]:
        """Yields every text of a split."""
        yield from self.splits[name].texts
        yield from self.splits[name].text_pairs or ()

    def columns_of(self, labels: Sequence[str], argument: str = "teacher") -> list[int]:
        """Returns, for each label of the task, the column of its logit in a model with these labels.

        Labels are matched by name, because a model may have the same labels in another order, and metrics such as F1
        depend on the task's order.

        Raises:
            InputError: The model has other labels.
        """
        if self.is_regression and len(labels) == 1:
            return [0]
        ours, theirs = list(self.labels), list(labels)
        if sorted(ours) != sorted(theirs):
            ours, theirs = _lower(ours), _lower(theirs)
        if sorted(ours) != sorted(theirs) or len(set(ours)) < len(ours):
            got = f"{len(labels)} labels, {_shown(labels)}"
            raise InputError(argument, got, f"the {len(ours)} of {self.name}: {_shown(self.labels)}")
        return [theirs.index(label) for label in ours]

    def has_classes(self, labels: Sequence[str]) -> bool:
        """Returns whether these are the task's classes, in any order."""
        try:
            return bool(self.columns_of(labels))
        except InputError:
            return False

    def names_of(self, labels: Sequence[str], given: Sequence[str] = (), argument: str = "teacher") -> list[str]:
        """Returns the task's names of a model's classes, in the order of the model's logits.

        They are the model's own names if these are the task's. Else they are the given ones; or, for LABEL_0, LABEL_1
        and so on, the whole numbers 0, 1 and so on if these are the task's classes, or else the task's classes.

        Args:
            labels: The model's own names.
            given: Names that a user gave, none by default.
            argument: Name of the argument that errors blame.

        Raises:
            InputError: The model has other labels, or the given names are in another order than its own.
        """
        if self.has_classes(labels):
            if given and not self.is_regression and _lower(given) != _lower(labels):
                expected = f"none: the classes of --{argument} are named {_shown(labels)}; its id2label says so"
                raise InputError("teacher_labels", _shown(given), expected)
            return list(labels)
        names, numbers = given or labels, [str(i) for i in range(len(labels))]
        if not given and are_unnamed(labels) and len(labels) == len(self.labels):
            names = numbers if sorted(numbers) == sorted(self.labels) else self.labels
        self.columns_of(names, "teacher_labels" if given else argument)
        if len(names) != len(labels):
            got = f"{len(names)} names, for the {len(labels)} classes of --{argument}"
            raise InputError("teacher_labels", got, "one per class")
        return list(names)

    def chosen_by(self, metric: str) -> "Task":
        """Returns the task with checkpoints chosen by this metric; "" for the task's own choice.

        Raises:
            InputError: Labels of this kind have no such metric.
        """
        known = ("pearson", "spearman", "mae") if self.is_regression else ("accuracy", "macro_f1")
        known = ("micro_f1", "macro_f1") if self.multi_label else known
        if metric and metric not in known:
            raise InputError(
                "metric", f"{metric}, for {self.name}", f"one of {', '.join(known)}, by the kind of labels"
            )
        return dataclasses.replace(self, choose_by=(metric,)) if metric else self

    def fingerprint(self) -> str:
        """Returns the SHA-256 of all texts and labels."""
        digest = hashlib.sha256(json.dumps([self.name, self.labels]).encode())
        for name in sorted(self.splits):
            digest.update(name.encode() + self.splits[name].fingerprint().encode())
        return digest.hexdigest()


def load_task(
    name: str = "",
    *,
    labels: Sequence[str] | None = None,
    multi_label: bool = False,
    train_labels_may_lack: bool = False,
    glue_dir: str = "",
    seed: int = 0,
    **options,
) -> Task:
    """Loads a task.

    Args:
        name: A GLUE task ("sst2", "mnli"), "movie_reviews" or "wiki_topics"; empty with a `train_file`.
        labels: Labels of a model, needed to read files without labelled training texts.
        multi_label: Whether a text may have any number of these labels.
        train_labels_may_lack: Whether the training file may be without labels, because the answers to its texts come
            from elsewhere.
        glue_dir: Folder of GLUE's official files; by default that in the environment variable TINYBERT_GLUE, or TFDS.
        seed: Seed that chooses the tenth that is held out if there is no `dev_file`.
        **options: Arguments of `Files`, for a user's own files.

    Raises:
        InputError: There is no such task, or its data cannot be used.

    Example:

    >>> reviews = load_task("movie_reviews")
    >>> reviews.labels, len(reviews.splits["train"])
    (('negative', 'positive'), 7479)
    """
    own = Files(**options)
    if bool(name) == bool(own):
        got = f"{name!r} and files" if name else "neither a task nor files"
        raise InputError("task", got, "one of the two: --task, or --train_file with --dev_file and --test_file")
    glue_files.check_task(glue_dir, name)
    if own:
        return _from_files(own, labels, multi_label, train_labels_may_lack, seed)
    if name not in TASK_NAMES:
        raise InputError("task", repr(name), f"one of {', '.join(TASK_NAMES)}")
    if name in _PACKAGED:
        return _PACKAGED[name]()
    return Task(name, *glue_files.load(name, glue_dir))


def _movie_reviews() -> Task:
    """Returns 10,568 snippets of film reviews; those with a mean rating of 0 are dropped."""
    return _by_hash("movie_reviews", "movie_reviews")


def _wiki_topics() -> Task:
    """Returns 9,033 openings of Wikipedia articles, each with one of 11 topics."""
    return _by_hash("wiki_topics", "wiki_openings")


def _by_hash(name: str, asset: str) -> Task:
    """Returns the labelled rows of an asset, split by a hash of their keys; each text is in one split only."""
    rows = [row for row in packaged.READERS[asset]() if row.label is not None]
    labels = tuple(sorted({row.label for row in rows}))
    seen, parts = set(), {"train": [], "dev": [], "test": []}
    for key, text, label in rows:
        if text in seen:
            continue
        seen.add(text)
        parts[split_of(key)].append((text, labels.index(label)))
    splits = {
        split: Examples([text for text, _ in part], None, np.array([label for _, label in part]))
        for split, part in parts.items()
    }
    return Task(name, labels, ("accuracy",), splits, asset)


_PACKAGED: dict[str, Callable[[], Task]] = {"movie_reviews": _movie_reviews, "wiki_topics": _wiki_topics}
TASK_NAMES = (*glue.GLUE_TASKS, *_PACKAGED)


def _from_files(own: Files, labels: Sequence[str] | None, multi_label: bool, may_lack: bool, seed: int) -> Task:
    """Returns a task of the user's own files; without a dev file, a seeded tenth of the training file is dev.

    The classes are those of the training file; if it has no labels, those of the model, or else of the dev file.
    """
    tables = own.tables(may_lack)
    labelled = {split: table for split, table in tables.items() if table.labels is not None}
    first = next(iter((labelled or tables).values()))
    unlabelled = "train" in tables.keys() - labelled.keys()
    if unlabelled and "dev" not in tables:
        raise InputError("dev_file", "nothing", f"labelled texts, because {own.train_file} has no labels")
    regression = own.regression or (labels is not None and len(labels) == 1)
    if regression:
        labels = ("score",)
    elif "train" in labelled or labels is None:
        labels, multi_label = label_names(first), first.has_label_sets
    elif are_unnamed(labels) and not names_in(first) <= set(labels):
        labels = tuple(str(i) for i in range(len(labels)))
    multi_label = (multi_label or (unlabelled and first.has_label_sets)) and not regression
    classes = None if regression else labels
    splits = {split: to_examples(table, classes, multi_label) for split, table in tables.items()}
    if "train" in splits and "dev" not in splits:
        splits["train"], splits["dev"] = _cut(splits["train"], seed, own.train_file)
    if "test" in tables.keys() - labelled.keys() and labelled:
        logging.warning("%s has no column %r, so results are those of dev.", own.test_file, own.label_column)
    metrics = ("micro_f1", "macro_f1") if multi_label else ("accuracy", "macro_f1")
    task = Task(OWN_FILES, tuple(labels), metrics, splits, multi_label=multi_label, choose_by=metrics[:1])
    return dataclasses.replace(task, metrics=("pearson", "spearman"), choose_by=()) if regression else task


def _cut(examples: Examples, seed: int, path: str) -> tuple[Examples, Examples]:
    """Returns a training and a dev part. A text that stands in several rows is in one part with all of them."""
    texts = [_digest(row) for row in zip(examples.texts, examples.text_pairs or examples.texts)]
    dev = held_out_texts(texts, examples.labels, DEV_SHARE, seed)
    if not len(dev):
        dev = held_out(examples.labels, DEV_SHARE, seed)
        if len(dev):
            told = "%s has %d different texts in %d rows, too few for a tenth: some are in both train and dev."
            logging.warning(told, path, len(set(texts)), len(texts))
    if not len(dev) or len(dev) == len(examples):
        expected = "more rows, or a --dev_file: without one, a tenth is held out, of classes with two rows or more"
        raise InputError("train_file", f"{path} with {len(examples)} rows", expected)
    return examples.take(np.setdiff1d(np.arange(len(examples)), dev)), examples.take(dev)


def _digest(row: tuple[str, str]) -> str:
    return hashlib.sha256(json.dumps(row).encode()).hexdigest()


def _lower(labels: Sequence[str]) -> list[str]:
    return [label.lower() for label in labels]


def _shown(labels: Sequence[str]) -> str:
    return ", ".join(labels[:6]) + (", …" if len(labels) > 6 else "")
