"""BERT's WordPiece tokenizer, inside the TensorFlow graph."""

import collections
import functools
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import flatbuffers
import keras
import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from tinybert_tf.errors import InputError

CLS, SEP, PAD, UNK, MASK = "[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"

# BERT gives up on words of more than 100 characters; tf-text counts bytes, of which a character has at most 4.
_MAX_CHARACTERS = 100
_WORD_CHARACTER = (
    r"[^ !-/:-@\[-`{-~\p{P}"
    r"\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2CEAF}\x{2F800}-\x{2FA1F}]"
)
_LONG_WORD = f"{_WORD_CHARACTER}{{{_MAX_CHARACTERS + 1},}}"
_LONG_RUN = f"(?s).*[^ ]{{{_MAX_CHARACTERS + 1}}}.*"  # quick to find, and there wherever a long word is
_UNKNOWN_WORD = "\x01"  # a control character: neither normalised text nor a piece has one


@keras.saving.register_keras_serializable(package="tinybert_tf")
class BertTokenizer:
    """Turns text into the three tensors a BERT takes; runs inside `tf.data` and a SavedModel.

    The ids are those of Hugging Face's `tokenizers`; `docs/tokenizer.md` lists the few exceptions.

    Args:
        vocabulary: the WordPieces, in the order of their ids; `[UNK]`, `[CLS]`, `[SEP]` and `[PAD]` among them.
        lowercase: lower-case and strip accents, as uncased BERTs want.
        sequence_length: most tokens in a row, special tokens included.

    Raises:
        InputError: the vocabulary lacks a special token, repeats a piece, or is not one that tf-text takes.
    """

    def __init__(self, vocabulary: Sequence[str], lowercase: bool = True, sequence_length: int = 128):
        self.vocabulary = list(vocabulary)
        self.lowercase = lowercase
        self.sequence_length = sequence_length
        ids = {piece: i for i, piece in enumerate(self.vocabulary)}
        missing = [token for token in (PAD, UNK, CLS, SEP) if token not in ids]
        if missing:
            raise InputError("vocabulary", f"{len(ids)} pieces without {', '.join(missing)}", "BERT's special tokens")
        if len(ids) < len(self.vocabulary):
            piece, count = collections.Counter(self.vocabulary).most_common(1)[0]
            raise InputError("vocabulary", f"{piece!r} {count} times", "every piece once")
        self.pad_id, self.unk_id, self.cls_id, self.sep_id = (ids[t] for t in (PAD, UNK, CLS, SEP))
        self.mask_id = ids.get(MASK)
        self._normalizer = tf_text.FastBertNormalizer(model_buffer=tf.constant(_normalizer_model(lowercase)))
        try:
            self._wordpiece = tf_text.FastWordpieceTokenizer(
                self.vocabulary,
                suffix_indicator="##",
                max_bytes_per_word=4 * _MAX_CHARACTERS,
                token_out_type=tf.int32,
                unknown_token=UNK,
            )
        except RuntimeError as error:
            raise InputError("vocabulary", f"one that tf-text refuses ({error})", "WordPieces") from None

    @classmethod
    def from_file(cls, path: str | Path, **kwargs) -> "BertTokenizer":
        """Reads a `vocab.txt`: one WordPiece a line, white space at its end left out.

        Raises:
            InputError: there is no such file, or it is not UTF-8, or not the vocabulary of a BERT.
        """
        try:
            text = Path(path).read_bytes().decode("utf-8")
        except OSError as error:
            raise InputError("vocabulary", f"{path} ({error.strerror})", "a vocab.txt") from None
        except UnicodeDecodeError as error:
            raise InputError("vocabulary", f"{path}, not UTF-8 at byte {error.start}", "a vocab.txt in UTF-8") from None
        lines = text.removesuffix("\n").split("\n")
        return cls([line.rstrip() for line in lines], **kwargs)

    def save(self, path: str | Path) -> None:
        """Writes the `vocab.txt`."""
        Path(path).write_text("".join(f"{piece}\n" for piece in self.vocabulary), encoding="utf-8", newline="\n")

    def tokenize(self, texts) -> tf.RaggedTensor:
        """WordPiece ids without special tokens: strings `[batch]` to ragged int32 `[batch, (pieces)]`.

        Bytes that are not UTF-8 are left out.

        Raises:
            InputError: `texts` is one string or a table of them.
        """
        texts = tf.convert_to_tensor(texts, tf.string)
        if texts.shape.rank not in (1, None):
            raise InputError("texts", f"strings of shape {texts.shape}", "strings [batch]")
        texts = self._normalizer.normalize(texts)
        texts = tf.cond(
            tf.reduce_any(tf.strings.regex_full_match(texts, _LONG_RUN)),
            lambda: tf.strings.regex_replace(texts, _LONG_WORD, _UNKNOWN_WORD),
            lambda: texts,
        )
        return self._wordpiece.tokenize(texts)

    def __call__(self, texts, text_pairs=None, sequence_length: int | None = None) -> dict[str, tf.Tensor]:
        """Tokenizes, truncates the longer text first, adds special tokens and pads to the longest row.

        Args:
            texts: strings `[batch]`.
            text_pairs: second texts `[batch]`, or None.
            sequence_length: most tokens in a row; the tokenizer's own by default.

        Returns:
            `token_ids`, `segment_ids` and `padding_mask`, int32 `[batch, length]`.

        Raises:
            InputError: no room for the special tokens, or `texts` is not `[batch]`.
        """
        limit = self.sequence_length if sequence_length is None else sequence_length
        specials = 2 if text_pairs is None else 3
        if limit < specials:
            raise InputError("sequence_length", limit, f"at least {specials}, the special tokens")
        first = self.tokenize(texts)
        cls, sep = (tf.fill([first.nrows(), 1], token) for token in (self.cls_id, self.sep_id))
        if text_pairs is None:
            first = first[:, : limit - specials]
            rows = tf.concat([cls, first, sep], axis=1)
        else:
            first, second = truncate_pair(first, self.tokenize(text_pairs), limit - specials)
            rows = tf.concat([cls, first, sep, second, sep], axis=1)
        token_ids = rows.to_tensor(self.pad_id)
        width = tf.shape(token_ids)[1]
        padding_mask = tf.sequence_mask(rows.row_lengths(), width, tf.int32)
        in_first = tf.sequence_mask(first.row_lengths() + 2, width, tf.int32)
        segment_ids = tf.zeros_like(token_ids) if text_pairs is None else padding_mask - in_first
        return {"token_ids": token_ids, "segment_ids": segment_ids, "padding_mask": padding_mask}

    def get_config(self) -> dict:
        return {
            "vocabulary": self.vocabulary,
            "lowercase": self.lowercase,
            "sequence_length": self.sequence_length,
        }

    @classmethod
    def from_config(cls, config: dict) -> "BertTokenizer":
        return cls(**config)


def truncate_pair(first: tf.RaggedTensor, second: tf.RaggedTensor, limit: int):
    """Cuts two ragged rows to `limit` pieces together, the longer one first (Hugging Face's `longest_first`).

    The shorter text keeps up to half of the room; where both are longer, an odd piece goes to the longer text,
    or to the second one if they are equally long.
    """
    n1, n2 = first.row_lengths(), second.row_lengths()
    first_longer = n1 > n2
    short, long = tf.minimum(n1, n2), tf.maximum(n1, n2)
    keep_short = tf.where(short + long <= limit, short, tf.minimum(short, limit // 2))
    keep_long = tf.minimum(long, limit - keep_short)
    keep1 = tf.where(first_longer, keep_long, keep_short)
    keep2 = tf.where(first_longer, keep_short, keep_long)
    return _cut(first, keep1), _cut(second, keep2)


def _cut(rows: tf.RaggedTensor, lengths: tf.Tensor) -> tf.RaggedTensor:
    positions = tf.ragged.range(rows.row_lengths())
    keep = positions < tf.expand_dims(lengths, 1)
    return tf.ragged.boolean_mask(rows, keep)


def _normalize(character: str, lowercase: bool) -> str:
    """BERT's normalisation of one character: clean, then NFD without accents in lower case."""
    category = unicodedata.category(character)
    if character in "\t\n\r" or category in ("Zs", "Zl", "Zp"):
        return " "
    if category in ("Cc", "Cf", "Co") or character == "\ufffd":
        return ""
    if not lowercase:
        return character
    decomposed = unicodedata.normalize("NFD", character)
    return "".join(c.lower() for c in decomposed if unicodedata.category(c) != "Mn")


@functools.cache
def _normalizer_model(lowercase: bool) -> np.ndarray:
    """Compiles BERT's normalisation for tf-text's `FastBertNormalizer`: a flatbuffer, uint8 `[size_bytes]`.

    tf-text's own tables are not BERT's: uncased they fold by compatibility (`…` to `...`, `ß` to `ss`), and they
    part words where BERT drops a character. The model holds a tree from the UTF-8 bytes of each changed
    character to a number, `1 << 30 | offset << 6 | length`, that finds its replacement in a pool of bytes.
    """
    pool, numbers, values = bytearray(), {}, {bytes([byte]): "" for byte in range(0x80, 0x100)}
    for code in (*range(0xD800), *range(0xE000, 0x110000)):
        character = chr(code)
        key = character.encode()
        if code % 64 == 0:  # what is left of a character cut short is dropped, as are stray bytes
            values |= {key[:n]: "" for n in range(1, len(key))}
        if (new := _normalize(character, lowercase)) != character:
            values[key] = new
    for new in values.values():
        if new not in numbers:
            encoded = new.encode()
            numbers[new] = 1 << 30 | len(pool) << 6 | len(encoded)
            pool += encoded
    zero = numbers[values.pop(b"\0")]
    builder = flatbuffers.Builder()
    strings = builder.CreateByteVector(bytes(pool))
    tree = builder.CreateNumpyVector(_double_array({key: numbers[new] for key, new in values.items()}))
    builder.StartObject(4)
    builder.PrependBoolSlot(0, lowercase, False)
    builder.PrependUOffsetTRelativeSlot(1, tree, 0)
    builder.PrependInt32Slot(2, zero, 0)
    builder.PrependUOffsetTRelativeSlot(3, strings, 0)
    builder.Finish(builder.EndObject())
    return np.frombuffer(bytes(builder.Output()), np.uint8)


def _double_array(values: dict[bytes, int]) -> np.ndarray:
    """Packs a prefix tree as a double array, uint32 `[units]`, in darts-clone's format; equal subtrees only once.

    Args:
        values: the value of each key; every beginning of a key is a key itself.
    """
    numbers, branches = {}, collections.defaultdict(list)
    for key in sorted(values, key=len, reverse=True):  # a stable sort: siblings stay in order
        node = (values[key], tuple(branches.pop(key, ())))
        branches[key[:-1]].append((key[-1], numbers.setdefault(node, len(numbers))))
    nodes = [*numbers, (None, tuple(branches[b""]))]
    units, bases, last = collections.defaultdict(int, {0: 0}), {}, collections.defaultdict(int)
    for number in sorted(range(len(nodes)), key=lambda n: -len(nodes[n][1])):
        value, children = nodes[number]
        labels = (*(byte for byte, _ in children), *([] if value is None else [0]))
        base = last[labels] + 1
        while base in bases.values() or any(base ^ label in units for label in labels):
            base += 1
        bases[number] = last[labels] = base
    return units
