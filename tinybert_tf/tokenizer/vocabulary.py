"""`vocab.txt`: one WordPiece per line, in the order of their ids."""

from collections.abc import Sequence
from pathlib import Path

from tinybert_tf.errors import InputError
from tinybert_tf.files import write_text


def read_vocabulary(path: str | Path) -> list[str]:
    """Reads a `vocab.txt`; white space at the end of a line is dropped, as is a byte order mark.

    Raises:
        InputError: There is no such file, or it is not UTF-8.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError("vocabulary", f"{path} ({error.strerror})", "a vocab.txt") from None
    except UnicodeDecodeError as error:
        raise InputError("vocabulary", f"{path}, not UTF-8 at byte {error.start}", "a vocab.txt in UTF-8") from None
    return [line.rstrip() for line in text.removesuffix("\n").split("\n")]


def write_vocabulary(pieces: Sequence[str], path: str | Path) -> None:
    """Writes a `vocab.txt`, whole or not at all."""
    write_text(Path(path), "".join(f"{piece}\n" for piece in pieces))
