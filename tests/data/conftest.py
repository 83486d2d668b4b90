"""A small copy of GLUE's folder."""

import pytest

from tests.data.glue_folder import COLUMNS, MSR, SEVERAL, field, write


@pytest.fixture
def no_folder_by_default(monkeypatch):
    monkeypatch.delenv("TINYBERT_GLUE", raising=False)


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
