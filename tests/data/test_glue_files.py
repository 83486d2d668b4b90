"""GLUE's official files: small ones in the published layout, compared with TFDS's own reader, and the real ones."""

import pytest

from tests.data.glue_folder import MSR, REAL, refused, same_as_tfds, write
from tinybert_tf.data.glue_layouts import LAYOUTS
from tinybert_tf.data.tasks import load_task
from tinybert_tf.errors import InputError

pytestmark = pytest.mark.usefixtures("no_folder_by_default")


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


def test_the_environment_names_the_folder_where_the_flag_does_not(glue_dir, monkeypatch):
    monkeypatch.setenv("TINYBERT_GLUE", str(glue_dir))
    assert load_task("wnli").splits["dev"].texts[0] == "WNLI/dev sentence1'"
    monkeypatch.setenv("TINYBERT_GLUE", str(glue_dir / "none"))
    assert load_task("wnli", glue_dir=str(glue_dir)).splits["dev"].texts[0] == "WNLI/dev sentence1'"
    with pytest.raises(InputError, match=r"^TINYBERT_GLUE: got '.*none', which is not a folder; expected"):
        load_task("wnli")
    write(glue_dir / "own.csv", ["text,label", *(f"a {i},{i % 2}" for i in range(20))])
    assert load_task(train_file=str(glue_dir / "own.csv")).name == "files"


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
