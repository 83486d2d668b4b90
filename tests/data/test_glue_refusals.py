"""What is missing, damaged or of no use among GLUE's files."""

import pytest

from tests.data.glue_folder import refused, same_as_tfds, write
from tinybert_tf.data.glue_layouts import LAYOUTS
from tinybert_tf.data.tasks import load_task
from tinybert_tf.errors import InputError
from tinybert_tf.settings.stages import FinetuneConfig

pytestmark = pytest.mark.usefixtures("no_folder_by_default")


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
