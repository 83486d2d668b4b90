"""The files that travel with a model: vocabulary, labels and settings, in a ZIP archive behind its last byte.

MediaPipe reads the archive, and any ZIP tool shows it. `--stage=export` writes the same files beside the model.

The settings' `kind` says who reads the file. A question answerer has the outputs `start_logits` and `end_logits`, no
labels, and the settings `sequence_length`, `stride`, `max_question` and `max_answer` (all in WordPieces) and
`null_threshold`, a number, or null if the model always answers.
"""

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tinybert_tf.errors import InputError

VOCABULARY, LABELS, SETTINGS = "vocab.txt", "labels.txt", "model_info.json"
CLASSIFICATION, QUESTION_ANSWERING = "classification", "question_answering"  # kinds; older files do not say theirs
_NEEDED = {"sequence_length", "fixed_length", "lowercase", "signature"}
_NEEDED_BY = {
    CLASSIFICATION: _NEEDED | {"labels", "output"},
    QUESTION_ANSWERING: _NEEDED | {"stride", "max_question", "max_answer", "null_threshold"},
}
_READERS = {CLASSIFICATION: "TextClassifier", QUESTION_ANSWERING: "QuestionAnswerer"}


def texts_of(vocabulary: Sequence[str], labels: Sequence[str], settings: dict) -> dict[str, str]:
    """Returns the contents of the files by name.

    Args:
        vocabulary: The WordPieces, in the order of their ids.
        labels: The classes, in the order of the model's output.
        settings: What a program must know about the model, as JSON can hold it.
    """
    return {
        VOCABULARY: "".join(f"{piece}\n" for piece in vocabulary),
        LABELS: "".join(f"{label}\n" for label in labels),
        SETTINGS: json.dumps(settings, indent=2, ensure_ascii=False) + "\n",
    }


def append_files(model: bytes, vocabulary: Sequence[str], labels: Sequence[str], settings: dict) -> bytes:
    """Returns a LiteRT file with the files behind it, uncompressed, as MediaPipe needs them; see `texts_of`."""
    stream = io.BytesIO(model)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        for name, text in texts_of(vocabulary, labels, settings).items():
            # A fixed date: the same student, the same bytes.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text)
    return stream.getvalue()


def read_files(model: Path, kind: str = CLASSIFICATION) -> tuple[list[str], dict]:
    """Returns the vocabulary and the settings, the labels among them, of an exported student.

    Raises:
        InputError: The file cannot be read, or is not an exported student of this kind.
    """
    expected = "a .tflite file that --stage=export wrote"
    try:
        with zipfile.ZipFile(model) as archive:
            settings = json.loads(archive.read(SETTINGS))
            vocabulary = archive.read(VOCABULARY).decode("utf-8").removesuffix("\n").split("\n")
        found = settings.get("kind", CLASSIFICATION)
        missing = _NEEDED_BY[kind] - set(settings) if found == kind else ()
        if missing:
            raise KeyError(f"no {', '.join(sorted(missing))} in its settings")
    except OSError as error:
        raise InputError("model", f"{model} ({error.strerror})", expected) from None
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError("model", f"{model} ({error})", expected) from None
    if found != kind:
        expected = f"one for {_READERS[kind]}" + (f"; {_READERS[found]} reads this one" if found in _READERS else "")
        raise InputError("model", f"{model}, of the kind {found!r}", expected)
    return vocabulary, settings
