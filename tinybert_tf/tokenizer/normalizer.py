"""BERT's text normalisation, compiled for tf-text's `FastBertNormalizer` op."""

import functools
import unicodedata

import flatbuffers
import numpy as np

IDEOGRAPHS = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)


def _normalize(character: str, lowercase: bool, strip_accents: bool, clean_text: bool) -> str:
    """Returns a character as BERT normalises it: cleaned, then in NFD without accents, then in lower case."""
    category = unicodedata.category(character)
    if character in "\t\n\r" or category in ("Zs", "Zl", "Zp"):
        return " "
    if clean_text and (category in ("Cc", "Cf", "Co") or character == "\ufffd"):
        return ""
    if character in "\v\f\x85":  # white space too; cleaning has dropped it as control characters
        return " "
    if category == "Cn":  # not assigned
        return character
    if strip_accents:
        decomposed = unicodedata.normalize("NFD", character)
        character = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
    return "".join(c.lower() for c in character) if lowercase else character


@functools.cache
def _may_change() -> list[int]:
    """Returns the characters that `_normalize` may change, in blocks of 64: all others are unchanged by any rule."""
    kinds, codes = {"Zs", "Zl", "Zp", "Cc", "Cf", "Co", "Mn"}, []
    for first in (*range(0, 0x40000, 64), *range(0xE0000, 0x110000, 64)):  # planes 4-13 are empty
        block = "".join(map(chr, range(first, first + 64)))
        same = block.lower() == block and unicodedata.is_normalized("NFD", block) and "\ufffd" not in block
        if not same or not kinds.isdisjoint(map(unicodedata.category, block)):
            codes += range(first, first + 64)
    return codes


@functools.cache
def disguises(tokenize_chinese_chars: bool, clean_text: bool) -> dict[int, int]:
    """Returns another character for each one that tf-text would split words at, and that is a letter here.

    Normalised texts and pieces are translated alike, to characters of a plane of Unicode that is empty.
    """
    codes = [] if tokenize_chinese_chars else [code for first, last in IDEOGRAPHS for code in range(first, last + 1)]
    codes += [] if clean_text else [code for code in range(0xA0) if unicodedata.category(chr(code)) == "Cc"]
    return {code: 0x50000 + place for place, code in enumerate(codes)}


@functools.cache
def normalizer_model(
    lowercase: bool, strip_accents: bool, tokenize_chinese_chars: bool, clean_text: bool
) -> np.ndarray:
    """Compiles BERT's normalisation for tf-text's `FastBertNormalizer`: a flatbuffer, uint8 `[size_bytes]`.

    tf-text's own tables are not BERT's: the uncased ones fold by compatibility (`…` to `...`, `ß` to `ss`), and all
    split words where BERT drops a character. The model holds a tree from the UTF-8 bytes of each changed
    character to a number, `1 << 30 | offset << 6 | length`, that finds its replacement in a pool of bytes.

    Args:
        lowercase: Whether to lower-case.
        strip_accents: Whether to decompose characters and drop their accents.
        tokenize_chinese_chars: Whether ideographs stay as they are; otherwise, they get `disguises`.
        clean_text: Whether to drop control, format and private characters.
    """
    disguise = disguises(tokenize_chinese_chars, clean_text)

    def replacement(character):
        normalized = _normalize(character, lowercase, strip_accents, clean_text)
        return normalized.translate(disguise) if disguise else normalized

    values = {bytes([byte]): "" for byte in range(0x80, 0x100)}  # stray bytes are dropped
    for code in sorted({*range(64, 0x110000, 64), *_may_change(), *disguise} - {0}):
        character = chr(code)
        key = character.encode(errors="ignore")  # nothing for surrogates, which UTF-8 does not have
        if code % 64 == 0:
            values |= {key[:n]: "" for n in range(1, len(key))}  # so is the rest of a character that was cut
        if (new := replacement(character)) != character:
            values[key] = new
    nul = replacement("\0")
    pool, numbers = bytearray(), {}
    for new in dict.fromkeys(["", nul, *values.values()]):
        encoded = new.encode()
        numbers[new] = 1 << 30 | len(pool) << 6 | len(encoded)
        pool += encoded
    builder = flatbuffers.Builder()
    strings = builder.CreateByteVector(bytes(pool))
    tree = builder.CreateNumpyVector(_double_array({b"": 0} | {key: numbers[new] for key, new in values.items()}))
    builder.StartObject(4)
    builder.PrependBoolSlot(0, lowercase, False)
    builder.PrependUOffsetTRelativeSlot(1, tree, 0)
    builder.PrependInt32Slot(2, numbers[nul], 0)  # the replacement of NUL, which no key can hold
    builder.PrependUOffsetTRelativeSlot(3, strings, 0)
    builder.Finish(builder.EndObject())
    return np.frombuffer(bytes(builder.Output()), np.uint8)


def _double_array(values: dict[bytes, int]) -> np.ndarray:
    """Packs a prefix tree as a double array, uint32 `[units]`, in darts-clone's format, with equal subtrees only once.

    Each node has a base: its value is stored there, and its child by `byte` at `base ^ byte`.

    Args:
        values: Value of each key; every prefix of a key is a key itself.
    """
    units, bases, branches, base = {0: 0}, {}, {}, 0
    for key in sorted(values, key=len, reverse=True):  # children first, and siblings still in order
        node = values[key], tuple(branches.pop(key)) if key in branches else ()
        place = bases.get(node)
        if place is None:
            value, children = node
            labels = [byte for byte, _ in children]
            base += 1
            while base in units or not units.keys().isdisjoint(map(base.__xor__, labels)):
                base += 1
            bases[node] = place = base
            units[base] = 1 << 31 | value
            for byte, child in children:
                units[base ^ byte] = (base ^ byte ^ child) << 10 | 1 << 8 | byte
        if key:
            branches.setdefault(key[:-1], []).append((key[-1], place))
    units[0] = base << 10  # the root, b"", came last
    array = np.zeros((max(units) | 0xFF) + 1, np.uint32)
    array[list(units)] = list(units.values())
    return array
