"""The GLUE benchmark through tensorflow-datasets, and the files that its server accepts."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinybert_tf.data.examples import Examples
from tinybert_tf.errors import InputError
from tinybert_tf.files import write_text


@dataclasses.dataclass(frozen=True)
class GlueTask:
    """What distinguishes a GLUE task.

    Args:
        columns: Name of the text in TFDS, and of the second text.
        metrics: Metrics that the benchmark reports.
        splits: TFDS's name for each split, by our name.
        submission: Name of the file that the server expects for each unlabelled split, by our name of the split.
        submit_names: Whether the server expects label names, not numbers.
    """

    columns: tuple[str, ...]
    metrics: tuple[str, ...] = ("accuracy",)
    splits: dict[str, str] = dataclasses.field(
        default_factory=lambda: {"train": "train", "dev": "validation", "test": "test"}
    )
    submission: dict[str, str] = dataclasses.field(default_factory=dict)
    submit_names: bool = False


_PAIR = ("sentence1", "sentence2")

GLUE_TASKS = {
    "cola": GlueTask(("sentence",), ("matthews",), submission={"test": "CoLA.tsv"}),
    "sst2": GlueTask(("sentence",), submission={"test": "SST-2.tsv"}),
    "mrpc": GlueTask(_PAIR, ("accuracy", "f1"), submission={"test": "MRPC.tsv"}),
    "stsb": GlueTask(_PAIR, ("pearson", "spearman"), submission={"test": "STS-B.tsv"}),
    "qqp": GlueTask(("question1", "question2"), ("accuracy", "f1"), submission={"test": "QQP.tsv"}),
    "mnli": GlueTask(
        ("premise", "hypothesis"),
        splits={
            "train": "train",
            "dev": "validation_matched",
            "dev_mismatched": "validation_mismatched",
            "test": "test_matched",
            "test_mismatched": "test_mismatched",
        },
        submission={"test": "MNLI-m.tsv", "test_mismatched": "MNLI-mm.tsv"},
        submit_names=True,
    ),
    "qnli": GlueTask(("question", "sentence"), submission={"test": "QNLI.tsv"}, submit_names=True),
    "rte": GlueTask(_PAIR, submission={"test": "RTE.tsv"}, submit_names=True),
    "wnli": GlueTask(_PAIR, submission={"test": "WNLI.tsv"}),
    # A diagnostic set for MNLI models; it has no training examples.
    "ax": GlueTask(
        ("premise", "hypothesis"), splits={"test": "test"}, submission={"test": "AX.tsv"}, submit_names=True
    ),
}


def load(name: str) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, Examples]]:
    """Returns (labels, metrics, splits) of a GLUE task, which TFDS downloads if necessary.

    Raises:
        InputError: TFDS does not have the data and cannot download it.
    """
    import tensorflow_datasets as tfds

    task = GLUE_TASKS[name]
    try:
        builder = tfds.builder(f"glue/{name}")
        builder.download_and_prepare()
        splits = {ours: _read(builder, task, theirs) for ours, theirs in task.splits.items()}
    except Exception as error:  # TFDS passes on what its downloaders raise
        reason = " ".join(str(error).split())[:200]
        raise InputError("task", f"glue/{name} ({reason})", "data that TFDS has or can fetch") from None
    feature = builder.info.features["label"]
    labels = tuple(feature.names) if hasattr(feature, "names") else ("score",)
    return labels, task.metrics, splits


def _read(builder, task: GlueTask, split: str) -> Examples:
    rows = list(builder.as_dataset(split=split, shuffle_files=False).as_numpy_iterator())
    rows.sort(key=lambda row: int(row["idx"]))  # TFDS shuffles when it writes; the server expects GLUE's order
    columns = [[row[column].decode("utf-8") for row in rows] for column in task.columns]
    labels = np.array([row["label"] for row in rows])
    known = len(labels) and not np.any(labels == -1)
    ids = [int(row["idx"]) for row in rows]
    return Examples(columns[0], columns[1] if len(columns) == 2 else None, labels if known else None, ids)


def write_submission(path: Path, task: GlueTask, ids: Sequence, predictions: np.ndarray, labels: Sequence[str]) -> None:
    """Writes a file for GLUE's server: a header, then index and prediction, separated by a tab.

    Args:
        path: The file.
        task: The task, which says whether names or numbers are expected.
        ids: Ids of the examples.
        predictions: Class numbers in the order of `labels`, or scores, which are clipped to 0 to 5.
        labels: Labels in the order of the class numbers, which is GLUE's order where numbers are expected.
    """
    lines = ["index\tprediction"]
    for key, value in zip(ids, predictions):
        if len(labels) == 1:
            shown = f"{min(5.0, max(0.0, float(value))):.3f}"
        else:
            shown = labels[value] if task.submit_names else str(int(value))
        lines.append(f"{key}\t{shown}")
    write_text(path, "\n".join(lines) + "\n")
