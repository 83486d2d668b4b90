"""BERT's text normalisation, compiled for tf-text's `FastBertNormalizer` op."""

import collections
import functools
import unicodedata

import flatbuffers
import numpy as np


def _normalize(character: str, lowercase: bool) -> str:
    """Returns a character as BERT normalises it: cleaned, then in NFD without accents and in lower case."""
    category = unicodedata.category(character)
    if character in "\t\n\r" or category in ("Zs", "Zl", "Zp"):
        return " "
    if category in ("Cc", "Cf", "Co") or character == "\ufffd":
        return ""
    if not lowercase or category == "Cn":  # not assigned
        return character
    decomposed = unicodedata.normalize("NFD", character)
    return "".join(c.lower() for c in decomposed if unicodedata.category(c) != "Mn")


@functools.cache
def normalizer_model(lowercase: bool) -> np.ndarray:
    """Compiles BERT's normalisation for tf-text's `FastBertNormalizer`: a flatbuffer, uint8 `[size_bytes]`.

    tf-text's own tables are not BERT's: the uncased ones fold by compatibility (`…` to `...`, `ß` to `ss`), and all
    split words where BERT drops a character. The model holds a tree from the UTF-8 bytes of each changed
    character to a number, `1 << 30 | offset << 6 | length`, that finds its replacement in a pool of bytes.
    """
    values = {bytes([byte]): "" for byte in range(0x80, 0x100)}  # stray bytes are dropped
    for code in (*range(1, 0x40000), *range(0x40000, 0xE0000, 64), *range(0xE0000, 0x110000)):  # planes 4-13 are empty
        character = chr(code)
        key = character.encode(errors="ignore")  # nothing for surrogates, which UTF-8 does not have
        if code % 64 == 0:
            values |= {key[:n]: "" for n in range(1, len(key))}  # so is the rest of a character that was cut
        if (new := _normalize(character, lowercase)) != character:
            values[key] = new
    pool, numbers = bytearray(), {}
    for new in dict.fromkeys(values.values()):
        encoded = new.encode()
        numbers[new] = 1 << 30 | len(pool) << 6 | len(encoded)
        pool += encoded
    builder = flatbuffers.Builder()
    strings = builder.CreateByteVector(bytes(pool))
    tree = builder.CreateNumpyVector(_double_array({b"": 0} | {key: numbers[new] for key, new in values.items()}))
    builder.StartObject(4)
    builder.PrependBoolSlot(0, lowercase, False)
    builder.PrependUOffsetTRelativeSlot(1, tree, 0)
    builder.PrependInt32Slot(2, numbers[""], 0)  # the replacement of NUL, which no key can hold
    builder.PrependUOffsetTRelativeSlot(3, strings, 0)
    builder.Finish(builder.EndObject())
    return np.frombuffer(bytes(builder.Output()), np.uint8)


def _double_array(values: dict[bytes, int]) -> np.ndarray:
    """Packs a prefix tree as a double array, uint32 `[units]`, in darts-clone's format, with equal subtrees only once.

    Each node has a base: its value is stored there, and its child by `byte` at `base ^ byte`.

    Args:
        values: Value of each key; every prefix of a key is a key itself.
    """
    units, bases, branches, base = {0: 0}, {}, collections.defaultdict(list), 0
    for key in sorted(values, key=len, reverse=True):  # children first, and siblings still in order
        node = values[key], tuple(branches.pop(key, ()))
        if node not in bases:
            value, children = node
            base += 1
            while not units.keys().isdisjoint([base, *(base ^ byte for byte, _ in children)]):
                base += 1
            bases[node] = base
            units[base] = 1 << 31 | value
            for byte, child in children:
                units[base ^ byte] = (base ^ byte ^ child) << 10 | 1 << 8 | byte
        branches[key[:-1]].append((key[-1] if key else 0, bases[node]))
    units[0] = base << 10  # the root, b"", came last
    array = np.zeros((max(units) | 0xFF) + 1, np.uint32)
    array[list(units)] = list(units.values())
    return array
