"""What a word is, in any script: letters that nothing is joined to, or one ideograph."""

import functools
import re
import sys
import unicodedata
from collections.abc import Iterator

from tinybert_tf.tokenizer import BertTokenizer
from tinybert_tf.tokenizer.normalizer import IDEOGRAPHS

_IDEOGRAPH = "".join(f"{chr(first)}-{chr(last)}" for first, last in IDEOGRAPHS)
# The tokenizer drops control and format characters, so these join what is beside them.
_JOINING = r"\w'’\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufffd"


@functools.cache
def _runs() -> re.Pattern:
    marks = (chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] == "M")
    joining = f"[{_JOINING}{''.join(marks)}]"
    return re.compile(f"[{_IDEOGRAPH}]|(?:(?![{_IDEOGRAPH}]){joining})+")


def spans_of(text: str, ideographs: bool = True) -> Iterator[tuple[int, int]]:
    """Yields the first character of each word and the one behind it, from left to right.

    A word has two letters or more and nothing else, with their accents. An ideograph is a word by itself.

    Args:
        text: The text.
        ideographs: Whether ideographs are words, as they are for most BERTs.
    """
    for match in _runs().finditer(text):
        if is_word(match.group(), ideographs):
            yield match.span()


def is_word(run: str, ideographs: bool = True) -> bool:
    """Returns whether these characters, to which nothing is joined, are a word."""
    if is_ideograph(run[:1]):
        return ideographs and len(run) == 1
    letters = sum(character.isalpha() for character in unicodedata.normalize("NFC", run))
    return letters > 1 and all(c.isalpha() or unicodedata.category(c)[0] == "M" for c in run) and run[0].isalpha()


def is_ideograph(character: str) -> bool:
    """Returns whether a character is one that BERT takes as a word by itself."""
    return bool(character) and any(first <= ord(character) <= last for first, last in IDEOGRAPHS)


def script_of(word: str) -> str:
    """Returns the script of a word, by its first letter: "LATIN", "HANGUL", "CJK"."""
    return unicodedata.name(word[0], "?").split(" ", 1)[0]


def as_piece(word: str, tokenizer: BertTokenizer) -> str:
    """Returns a word as it is after the tokenizer's normalisation."""
    if tokenizer.strip_accents:
        word = "".join(c for c in unicodedata.normalize("NFD", word) if unicodedata.category(c) != "Mn")
    return "".join(c.lower() for c in word) if tokenizer.lowercase else word
