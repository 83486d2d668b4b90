"""The pieces in a model folder."""

from pathlib import Path

from tinybert_tf.errors import InputError
from tinybert_tf.files import read_json
from tinybert_tf.presets.content import TOKENIZER_FILE, VOCABULARY_FILE
from tinybert_tf.tokenizer.vocabulary import read_vocabulary


def stored_pieces(folder: Path) -> tuple[Path, list[str]]:
    """Reads `vocab.txt`, or else a WordPiece `tokenizer.json`, which is all that transformers 5 writes.

    Returns:
        The file, and its pieces in the order of their ids. Where a `tokenizer.json` skips an id, as transformers does
        for equal lines of a `vocab.txt`, there is an empty piece.

    Raises:
        InputError: There is neither, or it is not a WordPiece vocabulary.
    """
    if (folder / VOCABULARY_FILE).is_file():
        return folder / VOCABULARY_FILE, read_vocabulary(folder / VOCABULARY_FILE)
    file = folder / TOKENIZER_FILE
    if not file.is_file():
        raise InputError("preset", f"{folder} without {VOCABULARY_FILE}", "a WordPiece vocabulary")
    model = read_json(file).get("model")
    model = model if isinstance(model, dict) else {}
    ids = model.get("vocab")
    if model.get("type") != "WordPiece" or not _are_ids(ids):
        raise InputError("preset", f"{file} with a {model.get('type')} model", "a WordPiece vocabulary")
    pieces = [""] * (max(ids.values()) + 1)
    for piece, place in ids.items():
        pieces[place] = piece.rstrip()
    return file, pieces


def _are_ids(ids) -> bool:
    """Returns whether these are ids of pieces, each once, at most half of them skipped."""
    if not isinstance(ids, dict) or not ids or not all(type(place) is int and place >= 0 for place in ids.values()):
        return False
    return len(set(ids.values())) == len(ids) > max(ids.values()) / 2
