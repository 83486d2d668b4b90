"""TinyBERT's data augmentation (arXiv 1909.10351, section 3.3 and algorithm 1): words replaced by likely others.

A word that is one WordPiece is replaced by a masked LM's guess in its place, a longer word by one of its neighbours
among word vectors. Candidates are predicted once, on the original sentence, as in the reference implementation; the
paper's algorithm reads as if each variant were predicted anew, with the replacements so far. Unlike the reference, the
masked LM reads the masked sentence alone: the unmasked one as second segment gives the answer away. The original word
is no candidate. Because a masked LM has learned to guess many words at once, it guesses several at a time, spread over
the text.
"""

import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from tinybert_tf.augmentation.word_vectors import WordVectors
from tinybert_tf.models import BertMaskedLM

# Words of the letters a to z, with no digit, other letter or apostrophe attached to them.
# The tokenizer strips accents and drops control and format characters, so these attach what is beside them.
_JOINED = r"\w'’\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u0300-\u036f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufffd"
_WORD = re.compile(f"(?<![{_JOINED}])[A-Za-z]{{2,}}(?![{_JOINED}])")
_WHOLE_WORD = re.compile(r"[A-Za-z]{2,}")


@dataclasses.dataclass(frozen=True)
class Place:
    """A place where a text may change: the characters from `start` to `end`, and the words that could stand there."""

    start: int
    end: int
    candidates: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class _Reading:
    """Places of a text that the masked LM guesses at once, as (character, token); `ids` are those of the whole text."""

    text: int
    ids: np.ndarray
    places: list[tuple[int, int]]


class Augmenter:
    """Finds the words that may replace each word of a text.

    Args:
        masked_lm: Model that guesses words that are one WordPiece.
        vectors: Word vectors that give the neighbours of longer words; None leaves those words as they are.
        num_candidates: Number of candidates per word, the paper's K.
        batch_tokens: Number of tokens that the masked LM reads at a time.
        masked_share: Largest share of a text's tokens to mask at a time; 0 for one word at a time, as in the paper.
    """

    def __init__(
        self,
        masked_lm: BertMaskedLM,
        vectors: WordVectors | None,
        num_candidates: int = 15,
        batch_tokens: int = 4096,
        masked_share: float = 0.15,
    ):
        self.masked_lm, self.vectors = masked_lm, vectors
        self.num_candidates, self.batch_tokens = num_candidates, batch_tokens
        self.masked_share = masked_share
        self.tokenizer = masked_lm.tokenizer
        self._pieces = {piece: place for place, piece in enumerate(self.tokenizer.vocabulary)}
        allowed = [bool(_WHOLE_WORD.fullmatch(piece)) for piece in self.tokenizer.vocabulary]
        self._forbidden = tf.constant(np.where(allowed, 0.0, -np.inf).astype(np.float32))
        self._guess = self._make_guess()

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
        spans = [[match.span() for match in _WORD.finditer(text)] for text in texts]
        spans = [
            [(a, b) for a, b in row if text[a:b].lower() not in ENGLISH_STOP_WORDS] for text, row in zip(texts, spans)
        ]
        ids, token_places = self._tokens(texts, spans)
        candidates, asked = {}, [[] for _ in texts]
        for i, (text, row) in enumerate(zip(texts, spans)):
            for a, b in row:
                word = self._cased(text[a:b])
                if word not in self._pieces:
                    candidates[i, a] = word
                elif token_places[i, a] <= self._longest - 2:
                    asked[i].append((a, token_places[i, a]))
        neighbours = (
            self.vectors.neighbours([w.lower() for w in candidates.values()], self.num_candidates)
            if (self.vectors)
            else {}
        )
        candidates = {place: neighbours.get(word.lower(), []) for place, word in candidates.items()}
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

    def _cased(self, word: str) -> str:
        return word.lower() if self.tokenizer.lowercase else word

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

    def _readings(self, text: int, ids: np.ndarray, places: list[tuple[int, int]]) -> list[_Reading]:
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
                for (character, _), best, original in zip(reading.places, words, originals):
                    others = [piece for piece in best if piece != original][: self.num_candidates]
                    yield (reading.text, character), [self.tokenizer.vocabulary[piece] for piece in others]
            begin = end

    def _likeliest(self, readings: list[_Reading]) -> tuple[np.ndarray, np.ndarray]:
        """Returns the likeliest pieces `[readings, places, num_candidates + 1]`, the original `[readings, places]`."""
        lengths = np.array([len(reading.ids) for reading in readings], np.int32)
        token_ids = np.full((len(readings), lengths.max()), self.tokenizer.pad_id, np.int32)
        positions = np.zeros((len(readings), max(len(reading.places) for reading in readings)), np.int32)
        for row, reading in enumerate(readings):
            token_ids[row, : lengths[row]] = reading.ids
            positions[row, : len(reading.places)] = [position for _, position in reading.places]
        originals = np.take_along_axis(token_ids, positions, axis=1)  # [CLS] where a reading has fewer places
        masked = np.where(positions > 0, self.tokenizer.mask_id, originals)
        np.put_along_axis(token_ids, positions, masked, axis=1)
        return self._guess(token_ids, lengths, positions).numpy(), originals

    def _make_guess(self):
        """Returns the graph from masked texts to the likeliest words' ids, `[texts, places, num_candidates + 1]`."""
        table = tf.TensorSpec([None, None], tf.int32)

        @tf.function(input_signature=[table, tf.TensorSpec([None], tf.int32), table])
        def guess(token_ids, lengths, positions):
            inputs = {
                "token_ids": token_ids,
                "segment_ids": tf.zeros_like(token_ids),
                "padding_mask": tf.sequence_mask(lengths, tf.shape(token_ids)[1], tf.int32),
                "masked_positions": positions,
            }
            logits = self.masked_lm(inputs, training=False) + self._forbidden
            return tf.math.top_k(logits, self.num_candidates + 1).indices

        return guess


def make_variants(
    text: str, places: Sequence[Place], num_variants: int, probability: float, rng: np.random.Generator
) -> list[str]:
    """Returns up to `num_variants` different variants of a text, none of them the text itself.

    Each place changes with the given probability, to a candidate that is drawn uniformly.

    Args:
        text: The original.
        places: The text's places, from `Augmenter.places`.
        num_variants: Number of variants that are drawn, the paper's N; duplicates are dropped.
        probability: Probability that a place changes, the paper's p.
        rng: Generator of the draws.
    """
    variants = {}
    for _ in range(num_variants):
        parts, done = [], 0
        for place in places:
            if rng.random() < probability:
                parts += [text[done : place.start], place.candidates[rng.integers(len(place.candidates))]]
                done = place.end
        variants["".join([*parts, text[done:]])] = None
    variants.pop(text, None)
    return list(variants)


def make_pair_variants(
    texts: tuple[str, str | None],
    places: tuple[Sequence[Place], Sequence[Place]],
    num_variants: int,
    probability: float,
    rng: np.random.Generator,
) -> list[tuple[str, str | None]]:
    """Like `make_variants`, for an example of one text or two: one text changes, the other stays the original."""
    first, second = texts
    made = [(v, second) for v in make_variants(first, places[0], num_variants, probability, rng)]
    if second is not None:
        made += [(first, v) for v in make_variants(second, places[1], num_variants, probability, rng)]
    return made


def _others(words: Iterable[str], original: str) -> tuple[str, ...]:
    """Returns the words in the original's case, each once and without the original: "film" and "Film" become one."""
    written = dict.fromkeys(_as_written(word, original) for word in words)
    return tuple(word for word in written if word != original)


def _as_written(word: str, original: str) -> str:
    """Returns the word in the original's case."""
    if original.isupper() and len(original) > 1:
        return word.upper()
    return word[0].upper() + word[1:] if original[0].isupper() else word
