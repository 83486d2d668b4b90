"""BERT's WordPiece tokenizer, inside the TensorFlow graph."""

from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf
import tensorflow_text as tf_text

from tinybert_tf.errors import InputError

CLS, SEP, PAD, UNK, MASK = "[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"


@keras.saving.register_keras_serializable(package="tinybert_tf")
class BertTokenizer:
    """Turns text into the three tensors a BERT takes; runs inside `tf.data` and a SavedModel.

    Args:
        vocabulary: the WordPieces, in the order of their ids; `[UNK]`, `[CLS]`, `[SEP]` and `[PAD]` among them.
        lowercase: lower-case and strip accents, as uncased BERTs want.
        sequence_length: most tokens in a row, special tokens included.

    Raises:
        InputError: the vocabulary lacks a special token, or repeats a piece.
    """

    def __init__(self, vocabulary: Sequence[str], lowercase: bool = True, sequence_length: int = 128):
        self.vocabulary = list(vocabulary)
        self.lowercase = lowercase
        self.sequence_length = sequence_length
        ids = {piece: i for i, piece in enumerate(self.vocabulary)}
        missing = [token for token in (PAD, UNK, CLS, SEP) if token not in ids]
        if missing:
            raise InputError("vocabulary", f"{len(ids)} pieces without {', '.join(missing)}", "BERT's special tokens")
        self.pad_id, self.unk_id, self.cls_id, self.sep_id = (ids[t] for t in (PAD, UNK, CLS, SEP))
        self.mask_id = ids.get(MASK)
        self._wordpiece = tf_text.FastBertTokenizer(
            vocab=self.vocabulary,
            suffix_indicator="##",
            max_bytes_per_word=100,
            token_out_type=tf.int32,
            unknown_token=UNK,
            no_pretokenization=False,
            lower_case_nfd_strip_accents=lowercase,
        )

    @classmethod
    def from_file(cls, path: str | Path, **kwargs) -> "BertTokenizer":
        """Reads a `vocab.txt`: one WordPiece a line."""
        text = Path(path).read_text(encoding="utf-8")
        pieces = text.split("\n")
        return cls([p.rstrip("\r") for p in (pieces[:-1] if pieces[-1] == "" else pieces)], **kwargs)

    def save(self, path: str | Path) -> None:
        """Writes the `vocab.txt`."""
        Path(path).write_text("".join(f"{piece}\n" for piece in self.vocabulary), encoding="utf-8")

    def tokenize(self, texts) -> tf.RaggedTensor:
        """WordPiece ids without special tokens: strings `[batch]` to ragged int32 `[batch, (pieces)]`."""
        return self._wordpiece.tokenize(tf.convert_to_tensor(texts, tf.string))

    def __call__(self, texts, text_pairs=None, sequence_length: int | None = None) -> dict[str, tf.Tensor]:
        """Tokenizes, truncates the longer text first, adds special tokens and pads to the longest row.

        Args:
            texts: strings `[batch]`.
            text_pairs: second texts `[batch]`, or None.
            sequence_length: most tokens in a row; the tokenizer's own by default.

        Returns:
            `token_ids`, `segment_ids` and `padding_mask`, int32 `[batch, length]`.
        """
        limit = self.sequence_length if sequence_length is None else sequence_length
        first = self.tokenize(texts)
        if text_pairs is None:
            first = first[:, : limit - 2]
            rows = self._wrap(first, start=self.cls_id)
            segments = tf.zeros_like(rows)
        else:
            first, second = truncate_pair(first, self.tokenize(text_pairs), limit - 3)
            first, second = self._wrap(first, start=self.cls_id), self._wrap(second)
            rows = tf.concat([first, second], axis=1)
            segments = tf.concat([tf.zeros_like(first), tf.ones_like(second)], axis=1)
        return {
            "token_ids": rows.to_tensor(self.pad_id),
            "segment_ids": segments.to_tensor(0),
            "padding_mask": tf.ones_like(rows).to_tensor(0),
        }

    def _wrap(self, rows: tf.RaggedTensor, start: int | None = None) -> tf.RaggedTensor:
        def column(token):
            return tf.fill([rows.nrows(), 1], tf.constant(token, rows.dtype))

        parts = [rows, column(self.sep_id)] if start is None else [column(start), rows, column(self.sep_id)]
        return tf.concat(parts, axis=1)

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
    half = limit // 2
    first_longer = n1 > n2
    short, long = tf.minimum(n1, n2), tf.maximum(n1, n2)
    keep_short = tf.where(short + long <= limit, short, tf.minimum(short, half))
    keep_long = tf.minimum(long, limit - keep_short)
    keep1 = tf.where(first_longer, keep_long, keep_short)
    keep2 = tf.where(first_longer, keep_short, keep_long)
    return _cut(first, keep1), _cut(second, keep2)


def _cut(rows: tf.RaggedTensor, lengths: tf.Tensor) -> tf.RaggedTensor:
    positions = tf.ragged.range(rows.row_lengths())
    keep = positions < tf.expand_dims(lengths, 1)
    return tf.ragged.boolean_mask(rows, keep)
