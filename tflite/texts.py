"""What programs pass as texts: refused in one line where the tokenizer would fail on it."""

from collections.abc import Sequence

from tinybert_tf.data.files import SURROGATE
from tinybert_tf.errors import InputError


def check_texts(name: str, texts: Sequence[str]) -> None:
    """Refuses what is no text, or is none in Unicode.

    Args:
        name: Name of the argument that errors blame.
        texts: The texts.

    Raises:
        InputError: One of them cannot be used.
    """
    for text in texts:
        if not isinstance(text, str):
            raise InputError(name, repr(text), "a text")
        if SURROGATE.search(text):
            raise InputError(name, "half a surrogate pair", "Unicode")
