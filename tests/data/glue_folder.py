"""GLUE's files in their published layout, three rows each, and what TFDS's own reader makes of them."""

import os
from pathlib import Path

import numpy as np
import pytest

from tinybert_tf.data.glue import GLUE_TASKS
from tinybert_tf.data.glue_layouts import LAYOUTS
from tinybert_tf.data.tasks import load_task
from tinybert_tf.errors import InputError

REAL = Path(os.environ.get("TINYBERT_GLUE") or Path(__file__).parents[2].parent / "shared/data/glue").expanduser()
MNLI = "index promptID pairID genre sentence1_binary_parse sentence2_binary_parse sentence1_parse sentence2_parse "
MNLI += "sentence1 sentence2"
STSB = "index genre filename year old_index source1 source2 sentence1 sentence2"
MSR = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"
# Columns of train, dev and test as published. A field is filled by its column's name: see `field`.
COLUMNS = {
    "CoLA": ["source label mark text"] * 2 + ["index sentence"],
    "SST-2": ["sentence label"] * 2 + ["index sentence"],
    "STS-B": [f"{STSB} score"] * 2 + [STSB],
    "QQP": ["id qid1 qid2 question1 question2 is_duplicate"] * 2 + ["id question1 question2"],
    "QNLI": ["index question sentence label"] * 2 + ["index question sentence"],
    "RTE": ["index sentence1 sentence2 label"] * 2 + ["index sentence1 sentence2"],
    "WNLI": ["index sentence1 sentence2 label"] * 2 + ["index sentence1 sentence2"],
}
SEVERAL = {
    "MNLI/train": f"{MNLI} label1 gold_label",
    "MNLI/dev_matched": f"{MNLI} label1 label2 label3 label4 label5 gold_label",
    "MNLI/dev_mismatched": f"{MNLI} label1 label2 label3 label4 label5 gold_label",
    "MNLI/test_matched": MNLI,
    "MNLI/test_mismatched": MNLI,
    "diagnostic/diagnostic": "index sentence1 sentence2",
}
NUMBERED = {"CoLA", "SST-2", "QQP", "WNLI"}  # whose labels are 0 and 1


def field(file, column, row):
    """The content of a field: texts have quotes, spaces at their ends, and what str.splitlines takes for an end."""
    folder = file.split("/")[0]
    if column in ("label", "is_duplicate", "gold_label"):
        names = ["entailment", "neutral" if folder == "MNLI" else "not_entailment", "contradiction"]
        return str((row + 1) % 2) if folder in NUMBERED else names[row % (3 if folder == "MNLI" else 2)]
    if column == "score":
        return f"{row * 1.25:.3f}"
    if column in ("index", "id"):
        return str(row)
    return f'"{file} {column} {row} \u2028é\x85 ' if row else f"{file} {column}'"


def write(path, lines):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def refused(message, task, glue_dir):
    with pytest.raises(InputError, match=message) as error:
        load_task(task, glue_dir=str(glue_dir))
    assert "\n" not in str(error.value) and error.value.argument == "glue_dir"


def as_tfds_reads(folder, name, split, labels):
    """Texts, labels and ids of a split by TFDS's own code, from the same files."""
    tfds = pytest.importorskip("tensorflow_datasets")
    builder = tfds.builder(f"glue/{name}", data_dir=str(folder / "tfds"))
    assert tuple(getattr(builder.info.features["label"], "names", ("score",))) == labels
    own = folder / LAYOUTS[name].folder
    originals = {"dev_ids": "dev_ids.tsv", "train": "msr_paraphrase_train.txt", "test": "msr_paraphrase_test.txt"}
    mrpc = {key: own / file for key, file in originals.items()}
    path = own / LAYOUTS[name].file_of(split)
    rows = [row for _, row in builder._generate_examples(str(path), split.split("_")[0], mrpc)]
    numbers = {label: number for number, label in enumerate(labels)}
    columns = [[row[column] for row in rows] for column in GLUE_TASKS[name].columns]
    return columns, [numbers.get(row["label"], row["label"]) for row in rows], [row["idx"] for row in rows]


def same_as_tfds(glue_dir, folder, name, splits=None):
    """Asserts that a task's splits are as TFDS reads them from the files in `folder`."""
    task = load_task(name, glue_dir=str(glue_dir))
    for split in splits or GLUE_TASKS[name].splits:
        ours = task.splits[split]
        columns, labels, ids = as_tfds_reads(folder, name, split, task.labels)
        assert ours.texts == columns[0] and ours.text_pairs == (columns[1] if len(columns) == 2 else None)
        if split.startswith("test"):
            assert ours.labels is None and set(labels) == {-1}
        else:
            assert ours.labels.tolist() == labels
            kind = np.float32 if task.is_regression else np.int64  # TFDS's own, so that the digest is equal
            assert ours.labels.dtype == kind
        assert ours.ids == ids
    assert task.metrics == GLUE_TASKS[name].metrics
    return task
