"""BERT's WordPiece tokenizer, inside the TensorFlow graph."""

import copy
import functools
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf
import tensorflow_text as tf_text

from tinybert_tf.errors import InputError
from tinybert_tf.tokenizer.normalizer import IDEOGRAPHS, disguises, normalizer_model
from tinybert_tf.tokenizer.vocabulary import read_vocabulary, write_vocabulary

CLS, SEP, PAD, UNK, MASK = "[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"

# BERT gives up on words of more than 100 characters; tf-text counts bytes, of which a character has at most 4.
_MAX_CHARACTERS_PER_WORD = 100
_MAX_BYTES_PER_WORD = 4 * _MAX_CHARACTERS_PER_WORD
# Matches every text with a long word, and few others; a fuller set of characters would be tens of times slower.
_MAYBE_LONG_WORD = r"(?s).*[^ !-/:-@\x{3001}\x{3002}\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}]{101}.*"
# Punctuation and ideographs, words by themselves.
_SEPARATOR = r"([!-/:-@\[-`{-~\p{P}" + "".join(rf"\x{{{a:X}}}-\x{{{b:X}}}" for a, b in IDEOGRAPHS) + "])"


@functools.lru_cache(maxsize=4)
def _wordpiece_of(pieces: tuple[str, ...]) -> tf_text.FastWordpieceTokenizer:
    """Returns tf-text's part, only once for a teacher and its students: it takes a tenth of a second to build."""
    with tf.init_scope():  # its table is a constant that belongs to no graph
        return tf_text.FastWordpieceTokenizer(
            list(pieces),
            suffix_indicator="##",
            max_bytes_per_word=_MAX_BYTES_PER_WORD,
            token_out_type=tf.int32,
            unknown_token=UNK,
        )


@keras.saving.register_keras_serializable(package="tinybert_tf")
class BertTokenizer:
    """Turns text into the three tensors that a BERT takes; runs inside `tf.data` and a SavedModel.

    The ids are those of Hugging Face's `tokenizers`; `docs/tokenizer.md` lists the few exceptions.

    Args:
        vocabulary: The WordPieces, in the order of their ids; `[UNK]`, `[CLS]`, `[SEP]` and `[PAD]` among them.
            The last one counts if a piece occurs more than once.
        lowercase: Whether to lower-case, as uncased BERTs expect.
        sequence_length: Most tokens in a row, special tokens included.
        strip_accents: Whether to decompose characters and drop their accents; by default as `lowercase`.
        tokenize_chinese_chars: Whether each ideograph is a word by itself.
        clean_text: Whether to drop control, format and private characters.
        takes_pairs: Whether a second text is accepted; a model of one segment has no place for it.

    Raises:
        InputError: The vocabulary lacks a special token, or tf-text refuses it.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        lowercase: bool = True,
        sequence_length: int = 128,
        strip_accents: bool | None = None,
        tokenize_chinese_chars: bool = True,
        clean_text: bool = True,
        takes_pairs: bool = True,
    ):
        self.vocabulary = list(vocabulary)
        self.lowercase, self.sequence_length = lowercase, sequence_length
        self.strip_accents = lowercase if strip_accents is None else strip_accents
        self.tokenize_chinese_chars, self.clean_text, self.takes_pairs = tokenize_chinese_chars, clean_text, takes_pairs
        ids = {piece: i for i, piece in enumerate(self.vocabulary)}
        missing = [token for token in (PAD, UNK, CLS, SEP) if token not in ids]
        if missing:
            raise InputError("vocabulary", f"{len(ids)} pieces without {', '.join(missing)}", "BERT's special tokens")
        self.pad_id, self.unk_id, self.cls_id, self.sep_id = (ids[t] for t in (PAD, UNK, CLS, SEP))
        self.mask_id = ids.get(MASK)
        self._normalizer = tf_text.FastBertNormalizer(model_buffer=tf.constant(normalizer_model(**self.normalization)))
        try:
            self._wordpiece = _wordpiece_of(tuple(self._findable(ids)))
        except RuntimeError as error:
            raise InputError("vocabulary", f"one that tf-text refuses ({error})", "WordPieces") from None

    def _findable(self, ids: dict[str, int]) -> list[str]:
        """Returns the pieces as they are in normalised texts; something that is in no text stands for unused ones."""
        disguise = disguises(self.tokenize_chinese_chars, self.clean_text)
        pieces = [piece.translate(disguise) for piece in self.vocabulary]
        # tf-text refuses equal pieces, and a NUL in one.
        unused = [ids[piece] != i or "\0" in pieces[i] for i, piece in enumerate(self.vocabulary)]
        return [f"\x01{i}" if unused[i] else piece for i, piece in enumerate(pieces)]

    @property
    def normalization(self) -> dict[str, bool]:
        """What happens to text before it is cut into WordPieces, by the name of the argument."""
        return {
            "lowercase": self.lowercase,
            "strip_accents": self.strip_accents,
            "tokenize_chinese_chars": self.tokenize_chinese_chars,
            "clean_text": self.clean_text,
        }

    @classmethod
    def from_file(cls, path: str | Path, **kwargs) -> "BertTokenizer":
        """Reads a `vocab.txt`: one WordPiece per line; white space at the end of a line is dropped.

        Raises:
            InputError: There is no such file, it is not UTF-8, or it is not the vocabulary of a BERT.
        """
        return cls(read_vocabulary(path), **kwargs)

    def with_sequence_length(self, sequence_length: int) -> "BertTokenizer":
        """Returns a tokenizer of the same vocabulary with another limit of tokens in a row."""
        other = copy.copy(self)  # shares the ops in the graph
        other.sequence_length = sequence_length
        return other

    def save(self, path: str | Path) -> None:
        """Writes the `vocab.txt`."""
        write_vocabulary(self.vocabulary, path)

    def tokenize(self, texts) -> tf.RaggedTensor:
        """Returns WordPiece ids without special tokens: ragged int32 `[batch, (pieces)]` for strings `[batch]`.

        Bytes that are not UTF-8 are dropped.

        Raises:
            InputError: `texts` is one string or a table of them.
        """
        texts = tf.convert_to_tensor(texts, tf.string)
        if texts.shape.rank not in (1, None):
            raise InputError("texts", f"strings of shape {texts.shape}", "strings [batch]")
        texts = self._normalizer.normalize(texts)
        maybe_long = tf.reduce_any(tf.strings.regex_full_match(texts, _MAYBE_LONG_WORD))
        return self._wordpiece.tokenize(tf.cond(maybe_long, lambda: _blot_long_words(texts), lambda: texts))

    def tokenize_with_offsets(self, text) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the WordPiece ids of one text, and where they are in it: int32 `[pieces]` each.

        Args:
            text: A string `[]`.

        Returns:
            The ids, and the places in bytes at which the first and the last character of each piece begin.
        """
        normalized, places = self._normalizer.normalize_with_offsets(tf.convert_to_tensor(text, tf.string)[None])
        ids, begins, ends = (part[0] for part in self._wordpiece.tokenize_with_offsets(normalized))
        ids, begins, ends = self._unknown_if_long(normalized[0], ids, begins, ends)
        return ids, tf.gather(places[0], begins), tf.gather(places[0], ends - 1)

    def _unknown_if_long(self, text, ids, begins, ends):
        """Replaces the pieces of each word of more than 100 characters by [UNK]."""
        follows = tf.constant([piece.startswith("##") and len(piece) > 2 for piece in self.vocabulary])
        inner = tf.gather(follows, ids)  # pieces that do not begin a word
        word = tf.cumsum(tf.cast(~inner, tf.int32)) - 1
        first, last = tf.math.segment_min(begins, word), tf.math.segment_max(ends, word)
        places = tf.cast(tf.strings.unicode_split_with_offsets(text, "UTF-8")[1], begins.dtype)
        long = tf.searchsorted(places, last) - tf.searchsorted(places, first) > _MAX_CHARACTERS_PER_WORD
        is_long = tf.gather(long, word)
        found = tf.where(is_long, self.unk_id, ids), begins, tf.where(is_long, tf.gather(last, word), ends)
        return tuple(tf.boolean_mask(values, ~(is_long & inner)) for values in found)

    def __call__(self, texts, text_pairs=None, sequence_length: int | None = None) -> dict[str, tf.Tensor]:
        """Tokenizes, truncates the longer text first, adds special tokens and pads to the longest row.

        Args:
            texts: Strings `[batch]`.
            text_pairs: Second texts `[batch]`, or None.
            sequence_length: Most tokens in a row; the tokenizer's own by default.

        Returns:
            `token_ids`, `segment_ids` and `padding_mask`, int32 `[batch, length]`.

        Raises:
            InputError: There is no room for the special tokens, the texts are not `[batch]`, or no pairs are taken.
        """
        if text_pairs is not None:
            self.check_pairs()
        limit = self.sequence_length if sequence_length is None else sequence_length
        specials = 2 if text_pairs is None else 3
        if limit < specials:
            raise InputError("sequence_length", limit, f"at least {specials}, the special tokens alone")
        first = self.tokenize(texts)
        second = None if text_pairs is None else self.tokenize(text_pairs)
        if second is not None and not first.shape[:1].is_compatible_with(second.shape[:1]):
            raise InputError("text_pairs", f"{second.shape[0]} texts", f"{first.shape[0]}, as many as texts")
        return self._pack(first, second, limit - specials)

    def check_pairs(self) -> None:
        """Raises InputError if the model takes no second texts."""
        if not self.takes_pairs:
            expected = "one text per row: the model has one segment (type_vocab_size 1)"
            raise InputError("text_pairs", "second texts", expected)

    def _pack(self, first: tf.RaggedTensor, second: tf.RaggedTensor | None, room: int) -> dict[str, tf.Tensor]:
        """Gathers each row's tokens from one list of all tokens: much faster than joining ragged tensors."""
        tokens = [[self.pad_id, self.cls_id, self.sep_id], first.values]
        start, n1 = 3 + _column(first.row_starts()), _column(first.row_lengths())
        if second is None:
            end = last = tf.minimum(n1, room) + 1  # places of the first [SEP] and of the last
        else:
            second_start, n2 = 3 + tf.size(first.values) + _column(second.row_starts()), _column(second.row_lengths())
            n1, n2 = truncate_pair(n1, n2, room)
            end, last = n1 + 1, n1 + n2 + 2
            tokens.append(second.values)
        place = tf.expand_dims(tf.range(tf.maximum(tf.reduce_max(last), 1) + 1), 0)
        source = start + place - 1
        if second is not None:
            source = tf.where(place > end, second_start + place - end - 1, source)
        source = tf.where((place == end) | (place == last), 2, tf.where(place == 0, 1, source))
        padding_mask = place <= last
        return {
            "token_ids": tf.gather(tf.concat(tokens, axis=0), tf.where(padding_mask, source, 0)),
            "segment_ids": tf.cast(padding_mask & (place > end), tf.int32),
            "padding_mask": tf.cast(padding_mask, tf.int32),
        }

    def get_config(self) -> dict:
        sizes = {"vocabulary": self.vocabulary, "sequence_length": self.sequence_length}
        return sizes | self.normalization | {"takes_pairs": self.takes_pairs}

    @classmethod
    def from_config(cls, config: dict) -> "BertTokenizer":
        return cls(**config)


def truncate_pair(n1: tf.Tensor, n2: tf.Tensor, room: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Cuts two texts' lengths to `room` pieces together, the longer text first (Hugging Face's `longest_first`).

    The shorter text keeps up to half of the room. If both are longer than that, an odd piece goes to the longer
    text, or to the second if they are equally long.
    """
    short, long = tf.minimum(n1, n2), tf.maximum(n1, n2)
    short = tf.where(short + long <= room, short, tf.minimum(short, room // 2))
    long = tf.minimum(long, room - short)
    return tf.where(n1 > n2, long, short), tf.where(n1 > n2, short, long)


def _column(values: tf.Tensor) -> tf.Tensor:
    return tf.expand_dims(tf.cast(values, tf.int32), 1)


def _blot_long_words(texts: tf.Tensor) -> tf.Tensor:
    """Replaces words of more than 100 characters by an unknown one."""
    texts = tf.strings.regex_replace(texts, _SEPARATOR, r" \1 ")
    return tf.strings.regex_replace(texts, "[^ ]{101,}", "\x01")  # neither normalised text nor any piece is a \x01
