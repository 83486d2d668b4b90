"""TinyBERT's data augmentation (arXiv 1909.10351, section 3.3 and algorithm 1): words replaced by likely others.

A word of any script (`words`) that is one WordPiece is replaced by a masked LM's guess in its place, a longer word by
one of its neighbours among word vectors. Candidates are predicted once, on the original sentence, as in the reference
implementation; the paper's algorithm reads as if each variant were predicted anew, with the replacements so far. Unlike
the reference, the masked LM reads the masked sentence alone: the unmasked one as second segment gives the answer away.
The original word is no candidate. Because a masked LM has learned to guess many words at once, it guesses several at a
time, spread over the text.
"""

import dataclasses
import itertools
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from tinybert_tf.augmentation.word_vectors import WordVectors
from tinybert_tf.augmentation.words import as_piece, is_word, script_of, spans_of
from tinybert_tf.errors import InputError
from tinybert_tf.files import path_of
from tinybert_tf.models import BertMaskedLM
from tinybert_tf.training import devices


@dataclasses.dataclass(frozen=True)
class Place:
    """A place where a text may change: the characters from `start` to `end`, and the words that could stand there."""

    start: int
    end: int
    candidates: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class _Reading:
    """Places of a text that the masked LM guesses at once, as (character, token, number of the script).

    `ids` are those of the whole text.
    """

    text: int
    ids: np.ndarray
    places: list[tuple[int, int, int]]


class Augmenter:
    """Finds the words that may replace each word of a text, in the word's own script.

    Args:
        masked_lm: Model that guesses words that are one WordPiece.
        vectors: Word vectors that give the neighbours of longer words; None leaves those words as they are.
        num_candidates: Number of candidates per word, the paper's K.
        batch_tokens: Number of tokens that the masked LM reads at a time.
        masked_share: Largest share of a text's tokens to mask at a time; 0 for one word at a time, as in the paper.
        stop_words: Words that stay as they are, in lower case.
    """

    def __init__(
        self,
        masked_lm: BertMaskedLM,
        vectors: WordVectors | None,
        num_candidates: int = 15,
        batch_tokens: int = 4096,
        masked_share: float = 0.15,
        stop_words: Collection[str] = ENGLISH_STOP_WORDS,
    ):
        self.masked_lm, self.vectors = masked_lm, vectors
        self.num_candidates, self.batch_tokens = num_candidates, batch_tokens
        self.masked_share, self.stop_words = masked_share, stop_words
        self.tokenizer = masked_lm.tokenizer
        self._pieces = {piece: place for place, piece in enumerate(self.tokenizer.vocabulary)}
        # The script of each piece that is a word; candidates are of the script of the word that they replace.
        scripts = [self._script(piece) if is_word(piece, self._ideographs) else "" for piece in self._pieces]
        self._scripts = {script: number for number, script in enumerate(sorted({*scripts} - {""}))}
        self._script_of_piece = np.full(len(self.tokenizer.vocabulary), -1, np.int32)
        self._script_of_piece[list(self._pieces.values())] = [self._scripts.get(script, -1) for script in scripts]
        allowed = self._script_of_piece == np.arange(max(1, len(self._scripts)))[:, None]
        self._forbidden = tf.constant(np.where(allowed, 0.0, -np.inf).astype(np.float32))
        self._guess = devices.Forward(self._top, ("token_ids", "lengths", "positions", "scripts"))

    def places(self, texts: Sequence[str]) -> list[list[Place]]:
        """Returns the places where each text may change, from left to right.

        A text that occurs twice is read once.

        Args:
            texts: Any number of texts; memory grows with the number.
        """
        unique = list(dict.fromkeys(texts))
        found = dict(zip(unique, self._places_of_unique(unique)))
        return [found[text] for text in texts]

    def _places_of_unique(self, texts: list[str]) -> list[list[Place]]:
        spans = [
            [(a, b) for a, b in spans_of(text, self._ideographs) if text[a:b].lower() not in self.stop_words]
            for text in texts
        ]
        ids, token_places = self._tokens(texts, spans)
        candidates, asked = {}, [[] for _ in texts]
        for i, (text, row) in enumerate(zip(texts, spans)):
            for a, b in row:
                word = as_piece(text[a:b], self.tokenizer)
                if word not in self._pieces:
                    candidates[i, a] = self._known_to_vectors(text[a:b])
                elif token_places[i, a] <= self._longest - 2:
                    asked[i].append((a, token_places[i, a], self._scripts[self._script(word)]))
        neighbours = self.vectors.neighbours(list(candidates.values()), self.num_candidates) if self.vectors else {}
        candidates = {place: neighbours.get(word, []) for place, word in candidates.items()}
        readings = [reading for i, places in enumerate(asked) for reading in self._readings(i, ids[i], places)]
        candidates |= dict(self._guessed(readings))
        places = [
            [Place(a, b, _others(candidates.get((i, a), []), text[a:b])) for a, b in row]
            for i, (text, row) in enumerate(zip(texts, spans))
        ]
        return [[place for place in row if place.candidates] for row in places]

    @property
    def _longest(self) -> int:
        return self.masked_lm.config.max_sequence_length

    @property
    def _ideographs(self) -> bool:
        return self.tokenizer.tokenize_chinese_chars

    def _script(self, word: str) -> str:
        return script_of(unicodedata.normalize("NFC", word))

    def _known_to_vectors(self, word: str) -> str:
        """Returns the word as the vectors have it, or in lower case."""
        return word if self.vectors and word in self.vectors.places else word.lower()

    def _tokens(self, texts, spans) -> tuple[list[np.ndarray], dict]:
        """Returns the ids of each text, with special tokens, and the place of each word among them.

        Texts are cut at their words. These stand alone, so the tokens of the parts, joined, are those of the text.
        """
        parts, owners = [], []
        for i, (text, row) in enumerate(zip(texts, spans)):
            cuts = [0, *(cut for span in row for cut in span), len(text)]
            parts += [text[a:b] for a, b in itertools.pairwise(cuts)]
            owners += [(i, a) for a in cuts[:-1]]
        tokens = self.tokenizer.tokenize(parts)
        sizes, values = tokens.row_lengths().numpy(), tokens.flat_values.numpy()
        starts = np.concatenate([[0], np.cumsum(sizes)])
        ids, places, part = [], {}, 0
        for row in spans:
            count = 2 * len(row) + 1
            first, last = starts[part], starts[part + count]
            own = np.concatenate([[self.tokenizer.cls_id], values[first:last], [self.tokenizer.sep_id]])
            ids.append(own[: self._longest])
            for k in range(part + 1, part + count, 2):
                places[owners[k]] = int(starts[k] - first + 1)
            part += count
        return ids, places

    def _readings(self, text: int, ids: np.ndarray, places: list[tuple[int, int, int]]) -> list[_Reading]:
        """Returns the readings in which all places of a text are guessed; each takes every n-th place."""
        together = max(1, int(self.masked_share * len(ids)))
        number = -(-len(places) // together)
        return [_Reading(text, ids, places[first::number]) for first in range(number)]

    def _guessed(self, readings: list[_Reading]) -> Iterator[tuple[tuple[int, int], list[str]]]:
        """Yields the likeliest words by (text, character); texts of similar length are read together."""
        readings = sorted(readings, key=lambda reading: (len(reading.ids), len(reading.places)))
        begin = 0
        while begin < len(readings):
            end = begin + 1
            while end < len(readings) and (end + 1 - begin) * len(readings[end].ids) <= self.batch_tokens:
                end += 1
            batch = readings[begin:end]
            for reading, words, originals in zip(batch, *self._likeliest(batch)):
                for (character, _, script), best, original in zip(reading.places, words, originals):
                    fits = (best != original) & (self._script_of_piece[best] == script)
                    yield (
                        (reading.text, character),
                        [self._written(piece) for piece in best[fits][: self.num_candidates]],
                    )
            begin = end

    def _written(self, piece: int) -> str:
        return unicodedata.normalize("NFC", self.tokenizer.vocabulary[piece])

    def _likeliest(self, readings: list[_Reading]) -> tuple[np.ndarray, np.ndarray]:
        """Returns the likeliest pieces `[readings, places, num_candidates + 1]`, the original `[readings, places]`."""
        lengths = np.array([len(reading.ids) for reading in readings], np.int32)
        token_ids = np.full((len(readings), lengths.max()), self.tokenizer.pad_id, np.int32)
        positions = np.zeros((len(readings), max(len(reading.places) for reading in readings)), np.int32)
        scripts = np.zeros_like(positions)
        for row, reading in enumerate(readings):
            token_ids[row, : lengths[row]] = reading.ids
            positions[row, : len(reading.places)] = [position for _, position, _ in reading.places]
            scripts[row, : len(reading.places)] = [script for *_, script in reading.places]
        originals = np.take_along_axis(token_ids, positions, axis=1)  # [CLS] where a reading has fewer places
        masked = np.where(positions > 0, self.tokenizer.mask_id, originals)
        np.put_along_axis(token_ids, positions, masked, axis=1)
        inputs = {"token_ids": token_ids, "lengths": lengths[:, None], "positions": positions, "scripts": scripts}
        return self._guess(inputs), originals

    def _top(self, masked: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns the ids of the likeliest words in masked texts, `[texts, places, num_candidates + 1]`."""
        token_ids = masked["token_ids"]
        inputs = {
            "token_ids": token_ids,
            "segment_ids": tf.zeros_like(token_ids),
            "padding_mask": tf.sequence_mask(masked["lengths"][:, 0], tf.shape(token_ids)[1], tf.int32),
            "masked_positions": masked["positions"],
        }
        logits = self.masked_lm(inputs, training=False) + tf.gather(self._forbidden, masked["scripts"])
        return tf.math.top_k(logits, self.num_candidates + 1).indices


def read_stop_words(name: str) -> Collection[str]:
    """Returns words that stay as they are: "english", or those of a file, one per line; "" for none.

    Raises:
        InputError: There is no such file, or it is not UTF-8.
    """
    if name in ("", "english"):
        return ENGLISH_STOP_WORDS if name else ()
    try:
        text = path_of(name).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "stop_words", f"{name} ({error})", "english, or a text file in UTF-8, a word per line"
        ) from None
    return frozenset(line.strip().lower() for line in text.splitlines())


def _others(words: Iterable[str], original: str) -> tuple[str, ...]:
    """Returns the words in the original's case, each once and without the original: "film" and "Film" become one."""
    written = dict.fromkeys(_as_written(word, original) for word in words)
    return tuple(word for word in written if word != original)


def _as_written(word: str, original: str) -> str:
    """Returns the word in the original's case."""
    if original.isupper() and len(original) > 1:
        return word.upper()
    return word[0].upper() + word[1:] if original[0].isupper() else word
