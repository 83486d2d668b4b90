"""GLUE's official files: small ones in the published layout, compared with TFDS's own reader, and the real ones."""

import os
from pathlib import Path

import numpy as np
import pytest

from tinybert_tf.data.glue import GLUE_TASKS
from tinybert_tf.data.glue_layouts import LAYOUTS
from tinybert_tf.data.tasks import load_task
from tinybert_tf.errors import InputError
from tinybert_tf.settings.stages import FinetuneConfig

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


@pytest.fixture(autouse=True)
def no_folder_by_default(monkeypatch):
    monkeypatch.delenv("TINYBERT_GLUE", raising=False)


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


@pytest.fixture
def glue_dir(tmp_path):
    """A folder of all sets, three rows per file."""
    named = {
        f"{folder}/{split}": c for folder in COLUMNS for split, c in zip(("train", "dev", "test"), COLUMNS[folder])
    }
    for file, columns in (named | SEVERAL).items():
        columns = columns.split()
        lines = ["\t".join(field(file, column, row) for column in columns) for row in range(3)]
        has_header = "mark" not in columns
        write(tmp_path / f"{file}.tsv", ["\t".join(columns)] * has_header + lines)
    pairs = [(str(row % 2), f"1{row}", f"2{row}", f'The "first" {row}', f"second {row} ") for row in range(5)]
    write(tmp_path / "MRPC/msr_paraphrase_train.txt", ["\ufeff" + MSR, *map("\t".join, pairs)])
    write(tmp_path / "MRPC/dev_ids.tsv", ["13\t23", "10\t20"])
    write(tmp_path / "MRPC/msr_paraphrase_test.txt", ["\ufeff" + MSR, *map("\t".join, pairs[:3])])
    return tmp_path


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


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_every_task_is_read_as_tfds_reads_it(glue_dir, name):
    task = same_as_tfds(glue_dir, glue_dir, name)
    assert all(len(part) == (2 if (name, split) == ("mrpc", "dev") else 3) for split, part in task.splits.items())


def test_texts_stay_as_they_are(glue_dir):
    splits = load_task("rte", glue_dir=str(glue_dir)).splits
    assert splits["train"].texts == [
        "RTE/train sentence1'",
        '"RTE/train sentence1 1 \u2028é\x85 ',
        '"RTE/train sentence1 2 \u2028é\x85 ',
    ]
    assert splits["train"].labels.tolist() == [0, 1, 0]
    assert splits["test"].text_pairs[2] == '"RTE/test sentence2 2 \u2028é\x85 '


def test_the_files_of_mnli_stay_apart(glue_dir):
    splits = load_task("mnli", glue_dir=str(glue_dir)).splits
    assert {name: part.texts[0] for name, part in splits.items()} == {
        "train": "MNLI/train sentence1'",
        "dev": "MNLI/dev_matched sentence1'",
        "dev_mismatched": "MNLI/dev_mismatched sentence1'",
        "test": "MNLI/test_matched sentence1'",
        "test_mismatched": "MNLI/test_mismatched sentence1'",
    }


def test_line_ends_of_windows_a_byte_order_mark_and_a_missing_last_newline_are_fine(glue_dir):
    before = load_task("sst2", glue_dir=str(glue_dir)).fingerprint()
    for path in (glue_dir / "SST-2").iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().removesuffix(b"\n").replace(b"\n", b"\r\n"))
    assert load_task("sst2", glue_dir=str(glue_dir)).fingerprint() == before


def test_folders_may_have_the_tasks_names(glue_dir):
    before = load_task("sst2", glue_dir=str(glue_dir)).fingerprint()
    (glue_dir / "SST-2").rename(glue_dir / "sst2")
    assert load_task("sst2", glue_dir=str(glue_dir)).fingerprint() == before


def test_mrpc_is_made_from_microsofts_files_where_the_tsv_are_not_there(glue_dir):
    splits = load_task("mrpc", glue_dir=str(glue_dir)).splits
    assert splits["train"].ids == [1, 2, 4] and splits["train"].labels.tolist() == [1, 0, 0]
    assert splits["dev"].ids == [0, 3] and splits["dev"].text_pairs == ["second 0 ", "second 3 "]
    assert splits["test"].labels is None
    write(glue_dir / "MRPC/train.tsv", [MSR, '0\t1\t2\tan "own"\trow'])
    splits = load_task("mrpc", glue_dir=str(glue_dir)).splits
    assert splits["train"].texts == ['an "own"'] and len(splits["dev"]) == 2
    (glue_dir / "MRPC/dev_ids.tsv").unlink()
    refused(r"MRPC without dev_ids.tsv; expected it, or dev.tsv, beside msr_paraphrase_train.txt$", "mrpc", glue_dir)


def test_damaged_rows_of_qqp_are_left_out_and_counted(glue_dir, caplog):
    """Known damage: a question with a line break, so that one row became two that lack columns."""
    path = glue_dir / "QQP/train.tsv"
    lines = path.read_text(encoding="utf-8").split("\n")
    write(path, [*lines[:2], "7\t8\t9\tIs it", "broken?\tIt is?\t1", *lines[2:4]])
    with caplog.at_level("WARNING", logger="absl"):
        task = same_as_tfds(glue_dir, glue_dir, "qqp")
    assert task.splits["train"].ids == [0, 3, 4]
    assert caplog.messages[0] == f"{path}: 2 damaged rows, which lack columns, are left out, as TFDS leaves them out."
    assert caplog.messages[1] == f"{path} has 3 rows; GLUE publishes 363,846 rows."
    with (glue_dir / "QQP/test.tsv").open("a") as stream:
        stream.write("9\tIs it\n")
    refused(r"test.tsv, line 5, with 2 columns; expected 3, with tabs between them$", "qqp", glue_dir)


def test_each_deviation_is_one_line(glue_dir, caplog):
    (glue_dir / "RTE/train.tsv").unlink()
    with caplog.at_level("WARNING", logger="absl"):
        task = load_task("rte", glue_dir=str(glue_dir))
    assert caplog.messages == [
        f"{glue_dir / 'RTE/train.tsv'} is not there, so that rte has no train examples; GLUE publishes 2,490 rows.",
        f"{glue_dir / 'RTE/dev.tsv'} has 3 rows; GLUE publishes 277 rows.",
        f"{glue_dir / 'RTE/test.tsv'} has 3 rows; GLUE publishes 3,000 rows.",
    ]
    assert list(task.splits) == ["dev", "test"]
    with pytest.raises(InputError, match=r"^task: got rte without train examples; expected one of dev, test$"):
        task.split("train")


@pytest.mark.parametrize(
    "file, line, message",
    [
        ("RTE/dev.tsv", "3\ta\tb\tperhaps", r"line 5, with the label 'perhaps'; expected one of entailment, not_ent"),
        ("RTE/dev.tsv", "3\ta\tb\t1", r"line 5, with the label '1'; expected one of entailment, not_entailment$"),
        ("RTE/train.tsv", "3\ta\tb", r"line 5, with 3 columns; expected 4, with tabs between them$"),
        ("RTE/train.tsv", "3\ta\tb\tentailment\t", r"line 5, with 5 columns; expected 4"),
        ("CoLA/dev.tsv", "gj04\t2\t\ta", r"line 4, with the label '2'; expected one of 0, 1$"),
        ("CoLA/dev.tsv", "gj04\t\t\ta", r"line 4, with the label ''; expected one of 0, 1$"),
        ("CoLA/train.tsv", "1\ta", r"line 4, with 2 columns; expected 4"),
        ("STS-B/dev.tsv", "3" + "\ta" * 8 + "\t5.1", r"line 5, with the label '5.1'; expected a score from 0 to 5$"),
        ("STS-B/dev.tsv", "3" + "\ta" * 8 + "\tnan", r"line 5, with the label 'nan'; expected a score"),
        ("STS-B/dev.tsv", "3" + "\ta" * 8 + "\ta", r"line 5, with the label 'a'; expected a score"),
        ("WNLI/test.tsv", "3\ta", r"line 5, with 2 columns; expected 3"),
        ("SST-2/test.tsv", b"3\tcaf\xe9", r"line 5, with bytes b'\\xe9\\n'; expected UTF-8$"),
        ("MRPC/msr_paraphrase_train.txt", "1\t2\t3\ta", r"line 7, with 4 columns; expected 5"),
        ("MRPC/dev_ids.tsv", "1", r"dev_ids.tsv, line 3, with 1 columns; expected 2"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_file_and_line(glue_dir, file, line, message):
    with (glue_dir / file).open("ab") as stream:
        stream.write((line if isinstance(line, bytes) else line.encode()) + b"\n")
    name = next(name for name, layout in LAYOUTS.items() if layout.folder == file.split("/")[0])
    refused(message, name, glue_dir)


def test_what_is_missing_is_one_line(glue_dir):
    refused(
        r"^glue_dir: got '.*none', which is not a folder; expected a folder that holds RTE$", "rte", glue_dir / "none"
    )
    refused(r"^glue_dir: got '.*' without RTE; expected a folder that holds RTE or rte$", "rte", glue_dir / "RTE")
    write(glue_dir / "RTE/dev.tsv", ["index\tsentence1\tlabel", "0\ta\tentailment"])
    refused(
        r"dev.tsv without the column 'sentence2'; expected a header with it, not index, sentence1, label$",
        "rte",
        glue_dir,
    )
    write(glue_dir / "RTE/dev.tsv", ["index\tsentence1\tsentence2", "0\ta\tb"])
    refused(r"dev.tsv without the column 'label'; ", "rte", glue_dir)
    write(glue_dir / "RTE/dev.tsv", ["index\tsentence1\tsentence2\tlabel"])
    refused(r"dev.tsv without any row for dev; expected examples$", "rte", glue_dir)
    for path in (glue_dir / "RTE").iterdir():
        path.unlink()
    refused(r"RTE without any file of rte; expected one of train.tsv, dev.tsv, test.tsv$", "rte", glue_dir)
    (glue_dir / "RTE/dev.tsv").mkdir()
    refused(r"dev.tsv \(Is a directory\); expected a file$", "rte", glue_dir)


def test_the_environment_names_the_folder_where_the_flag_does_not(glue_dir, monkeypatch):
    monkeypatch.setenv("TINYBERT_GLUE", str(glue_dir))
    assert load_task("wnli").splits["dev"].texts[0] == "WNLI/dev sentence1'"
    monkeypatch.setenv("TINYBERT_GLUE", str(glue_dir / "none"))
    assert load_task("wnli", glue_dir=str(glue_dir)).splits["dev"].texts[0] == "WNLI/dev sentence1'"
    with pytest.raises(InputError, match=r"^TINYBERT_GLUE: got '.*none', which is not a folder; expected"):
        load_task("wnli")
    write(glue_dir / "own.csv", ["text,label", *(f"a {i},{i % 2}" for i in range(20))])
    assert load_task(train_file=str(glue_dir / "own.csv")).name == "files"


NOT_OF_GLUE = r"^glue_dir: got 'glue', with %s; expected a --task of GLUE \(cola, .*, ax\) and no files of your own$"


@pytest.mark.parametrize(
    "options, beside",
    [({"train_file": "a.csv"}, "no --task"), ({}, "no --task"), ({"task": "wiki_topics"}, "--task=wiki_topics")],
)
def test_a_folder_without_a_task_of_glue_is_refused(options, beside):
    with pytest.raises(InputError, match=NOT_OF_GLUE % beside):
        FinetuneConfig(glue_dir="glue", **options)


def test_a_folder_without_a_task_of_glue_is_refused_in_python_too():
    with pytest.raises(InputError, match=NOT_OF_GLUE % "no --task"):
        load_task(train_file="a.csv", glue_dir="glue")


# The first and last row of the real dev files, of AX's test file: characters of the texts, and the label.
ENDS = {
    "cola": [(47, 0, 1), (34, 0, 1)],
    "sst2": [(47, 0, 1), (151, 0, 1)],
    "mrpc": [(92, 75, 1), (95, 86, 1)],
    "stsb": [(33, 36, 5.0), (59, 60, 0.0)],
    "qnli": [(59, 83, 0), (49, 288, 1)],
    "rte": [(135, 34, 1), (561, 49, 1)],
    "wnli": [(53, 27, 0), (111, 42, 0)],
    "ax": [(23, 31, None), (86, 72, None)],
}


def real_folder(name):
    """The folder of a task's real files; skips the test where it is not there."""
    folder = REAL / LAYOUTS[name].folder
    if not folder.is_dir():
        pytest.skip(f"no real files of {name}: TINYBERT_GLUE names the folder that holds {folder.name}")
    return folder


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_real_files_are_read_as_tfds_reads_them(name, tmp_path, caplog):
    folder = real_folder(name)
    (tmp_path / folder.name).symlink_to(folder)
    with caplog.at_level("WARNING", logger="absl"):
        task = load_task(name, glue_dir=str(REAL))
    there = [split for split in task.splits if (folder / LAYOUTS[name].file_of(split)).exists()]
    told = [message for message in caplog.messages if "is not there" not in message]
    assert not told and there  # every file has its published number of rows
    if name in ENDS:
        part = task.splits["test" if name == "ax" else "dev"]
        pairs = part.text_pairs or [""] * len(part)
        labels = [None] * len(part) if part.labels is None else part.labels.tolist()
        assert [(len(part.texts[i]), len(pairs[i]), labels[i]) for i in (0, -1)] == ENDS[name]
    if name != "mrpc":  # TFDS reads Microsoft's files
        same_as_tfds(REAL, tmp_path, name, there)


def test_microsofts_real_files_give_the_rows_of_the_scripts_files(tmp_path):
    folder = real_folder("mrpc")
    (tmp_path / "MRPC").mkdir()
    for file in ("msr_paraphrase_train.txt", "dev_ids.tsv", "train.tsv", "dev.tsv", "test.tsv"):
        if not (folder / file).exists():
            pytest.skip(f"no {file} beside the others: TINYBERT_GLUE names the folder that holds MRPC")
        if file not in ("train.tsv", "dev.tsv"):
            (tmp_path / "MRPC" / file).symlink_to(folder / file)
    made = same_as_tfds(tmp_path, tmp_path, "mrpc", ("train", "dev"))
    assert made.fingerprint() == load_task("mrpc", glue_dir=str(REAL)).fingerprint()
