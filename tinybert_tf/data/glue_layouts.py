"""How the files of each GLUE task are written: folder, columns, labels, and how many rows were published."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Layout:
    """How the files of a task are written.

    Args:
        folder: Name of the task's folder.
        texts: Column of the text, and of the second text.
        label: Column of the label, which a test file may lack.
        labels: Labels in TFDS's order; `("score",)` for numbers from 0 to 5.
        rows: Published number of rows by split.
        files: Name of each split's file; "SPLIT.tsv" by default.
        header: Columns of the training and dev files, if these have no header.
        has_damaged_rows: Whether some published training and dev rows lack columns; TFDS leaves them out too.
    """

    folder: str
    texts: tuple[str, ...]
    label: str
    labels: tuple[str, ...]
    rows: dict[str, int]
    files: dict[str, str] = dataclasses.field(default_factory=dict)
    header: tuple[str, ...] = ()
    has_damaged_rows: bool = False

    def file_of(self, split: str) -> str:
        """Returns the name of a split's file."""
        return self.files.get(split, f"{split}.tsv")


def _rows(train: int, dev: int, test: int) -> dict[str, int]:
    return {"train": train, "dev": dev, "test": test}


_PAIR = ("sentence1", "sentence2")
_BY_NUMBER, _ENTAILMENT = ("not_entailment", "entailment"), ("entailment", "not_entailment")
_THREE = ("entailment", "neutral", "contradiction")

LAYOUTS = {
    "cola": Layout(
        "CoLA",
        ("sentence",),
        "label",
        ("unacceptable", "acceptable"),
        _rows(8_551, 1_043, 1_063),
        header=("source", "label", "mark", "sentence"),
    ),
    "sst2": Layout("SST-2", ("sentence",), "label", ("negative", "positive"), _rows(67_349, 872, 1_821)),
    "mrpc": Layout(
        "MRPC", ("#1 String", "#2 String"), "Quality", ("not_equivalent", "equivalent"), _rows(3_668, 408, 1_725)
    ),
    "stsb": Layout("STS-B", _PAIR, "score", ("score",), _rows(5_749, 1_500, 1_379)),
    "qqp": Layout(
        "QQP",
        ("question1", "question2"),
        "is_duplicate",
        ("not_duplicate", "duplicate"),
        _rows(363_846, 40_430, 390_965),
        has_damaged_rows=True,
    ),
    "mnli": Layout(
        "MNLI",
        _PAIR,
        "gold_label",
        _THREE,
        _rows(392_702, 9_815, 9_796) | {"dev_mismatched": 9_832, "test_mismatched": 9_847},
        files={"dev": "dev_matched.tsv", "test": "test_matched.tsv"},
    ),
    "qnli": Layout("QNLI", ("question", "sentence"), "label", _ENTAILMENT, _rows(104_743, 5_463, 5_463)),
    "rte": Layout("RTE", _PAIR, "label", _ENTAILMENT, _rows(2_490, 277, 3_000)),
    "wnli": Layout("WNLI", _PAIR, "label", _BY_NUMBER, _rows(635, 71, 146)),
    "ax": Layout("diagnostic", _PAIR, "label", _THREE, {"test": 1_104}, files={"test": "diagnostic.tsv"}),
}
