"""SQuAD 1.1 and 2.0: from tensorflow-datasets, or from files of the same form, one's own among them."""

from tinybert_tf.data.question_files import read_questions
from tinybert_tf.data.question_reader import QuestionReader
from tinybert_tf.data.questions import Questions
from tinybert_tf.errors import InputError

TASKS = {"squad": "squad/v1.1", "squad_v2": "squad/v2.0"}  # TFDS's name by ours
_SPLITS = {"train": "train", "dev": "validation"}  # TFDS's name by ours; the test sets are not published


def load_squad(
    name: str, *, train_file: str = "", dev_file: str = "", test_file: str = "", bad_lines: str = "skip"
) -> dict[str, Questions]:
    """Returns the questions by split: of the files that are named, or of TFDS, "train" and "dev", if there are none.

    Args:
        name: "squad", where every question has an answer, or "squad_v2".
        train_file: File of SQuAD's JSON, or of one question per line.
        dev_file: The same.
        test_file: The same; it may lack the answers.
        bad_lines: "skip" mends offsets and leaves out questions whose answers are not in their contexts; "refuse"
            raises InputError.

    Raises:
        InputError: A file or a question cannot be used, or TFDS does not have the data and cannot download it.
    """
    files = {"train": train_file, "dev": dev_file, "test": test_file}
    options = {"unanswerable": name == "squad_v2", "bad_lines": bad_lines}
    found = {
        split: read_questions(path, f"{split}_file", answers_may_lack=split == "test", **options)
        for split, path in files.items()
        if path
    }
    return found or _from_tfds(name, **options)


def _from_tfds(name: str, unanswerable: bool, bad_lines: str) -> dict[str, Questions]:
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(TASKS[name])
        builder.download_and_prepare()
        rows = {ours: _rows(builder, theirs) for ours, theirs in _SPLITS.items()}
    except Exception as error:  # TFDS passes on what its downloaders raise
        reason = " ".join(str(error).split())[:200]
        expected = "data that TFDS has or can fetch, or --train_file and --dev_file"
        raise InputError("task", f"{TASKS[name]} ({reason})", expected) from None
    found = {}
    for split, read in rows.items():
        reader = QuestionReader(f"{TASKS[name]}, {split}", "task", unanswerable, False, bad_lines)
        for row in read:
            reader.add(row, row["context"])
        found[split] = reader.questions()
    return found


def _rows(builder, split: str) -> list[dict]:
    rows = []
    for row in builder.as_dataset(split=split, shuffle_files=False).as_numpy_iterator():
        answers = row["answers"]
        columns = {
            "text": [text.decode() for text in answers["text"]],
            "answer_start": answers["answer_start"].tolist(),
        }
        texts = {key: row[key].decode() for key in ("id", "question", "context")}
        rows.append(texts | {"answers": columns, "is_impossible": bool(row.get("is_impossible", False))})
    return rows
