"""TinyBERT's data augmentation (arXiv 1909.10351, section 3.3 and algorithm 1): words replaced by likely others.

A word that is one WordPiece is replaced by what a masked LM would say in its place, a longer one by its neighbours
among word vectors. Candidates are predicted once, on the original sentence, as the reference implementation does;
the paper's algorithm reads as if each variant were predicted anew with the replacements so far. Unlike the reference
the masked LM reads the masked sentence alone, without the unmasked one as second segment, which gives the answer
away, and the original word is no candidate. And as a masked LM has learned to guess many words at once, it is asked
for several at a time, spread over the text.
"""

import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from tinybert_tf.data.word_vectors import WordVectors
from tinybert_tf.models import BertMaskedLM

# Words of letters a to z alone, which nothing else is joined to: neither digits, nor other letters, nor apostrophes.
# The tokenizer strips accents and leaves out control and format characters, so those join what is beside them.
_JOINED = r"\w'’\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u0300-\u036f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufffd"
_WORD = re.compile(f"(?<![{_JOINED}])[A-Za-z]{{2,}}(?![{_JOINED}])")
_WHOLE_WORD = re.compile(r"[A-Za-z]{2,}")


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a text may change: its characters from `start` to `end`, and the words that could stand there."""

    start: int
    end: int
    candidates: tuple[str, ...]


class Augmenter:
    """Finds what words may become, and makes variants of texts.

    Args:
        masked_lm: guesses words that are one WordPiece.
        vectors: neighbours of longer words; None leaves those as they are.
        num_candidates: the paper's K.
        batch_tokens: tokens that the masked LM reads at a time.
        masked_share: of a text's tokens at most, to mask at a time; 0 for one word at a time, as the paper has it.
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
        """Returns for each text the places where it may change, from left to right.

        Texts that stand twice are read once.

        Args:
            texts: any number of texts; memory grows with them.
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
        candidates, rows, asked = {}, [], []
        for i, (text, row) in enumerate(zip(texts, spans)):
            for a, b in row:
                word = self._cased(text[a:b])
                if word not in self._pieces:
                    candidates[i, a] = word
                elif token_places[i, a] <= self._longest - 2:
                    rows.append((i, token_places[i, a]))
                    asked.append((i, a))
        neighbours = (
            self.vectors.neighbours([w.lower() for w in candidates.values()], self.num_candidates)
            if (self.vectors)
            else {}
        )
        candidates = {place: neighbours.get(word.lower(), []) for place, word in candidates.items()}
        candidates |= dict(zip(asked, self._guessed_words(ids, rows)))
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
        """Every text's ids with special tokens, and each word's place among them.

        A text is cut at its words; they stand alone, so that the pieces' tokens are those of the text, in a row.
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

    def _guessed_words(self, ids, rows) -> list[list[str]]:
        """The likeliest words at (text, token) rows: texts of like length together, each row once."""
        passes = self._passes(ids, rows)
        passes.sort(key=lambda one: (len(ids[rows[one[0]][0]]), len(one)))
        guessed: list[list[str]] = [[]] * len(rows)
        begin = 0
        while begin < len(passes):
            end = begin + 1
            while end < len(passes) and (end + 1 - begin) * len(ids[rows[passes[end][0]][0]]) <= self.batch_tokens:
                end += 1
            for k, words in self._guessed_batch(ids, rows, passes[begin:end]):
                guessed[k] = words
            begin = end
        return guessed

    def _passes(self, ids, rows) -> list[list[int]]:
        """Which rows, by their place in `rows`, are guessed in one reading of their text: every so many of them."""
        of_text: dict[int, list[int]] = {}
        for k, (text, _) in enumerate(rows):
            of_text.setdefault(text, []).append(k)
        passes = []
        for text, own in of_text.items():
            together = max(1, int(self.masked_share * len(ids[text])))
            number = -(-len(own) // together)
            passes += [own[first::number] for first in range(number)]
        return passes

    def _guessed_batch(self, ids, rows, passes) -> Iterator[tuple[int, list[str]]]:
        """The likeliest words of each row that these readings guess."""
        texts = [ids[rows[own[0]][0]] for own in passes]
        lengths = np.array([len(text) for text in texts], np.int32)
        token_ids = np.full((len(passes), lengths.max()), self.tokenizer.pad_id, np.int32)
        positions = np.zeros((len(passes), max(map(len, passes))), np.int32)  # [CLS] where a reading guesses fewer
        for line, (text, own) in enumerate(zip(texts, passes)):
            token_ids[line, : len(text)] = text
            positions[line, : len(own)] = [rows[k][1] for k in own]
        originals = np.take_along_axis(token_ids, positions, axis=1)
        masked = np.where(positions > 0, self.tokenizer.mask_id, originals)
        np.put_along_axis(token_ids, positions, masked, axis=1)
        likeliest = self._guess(token_ids, lengths, positions).numpy()
        for line, own in enumerate(passes):
            for column, k in enumerate(own):
                others = [place for place in likeliest[line, column] if place != originals[line, column]]
                yield k, [self.tokenizer.vocabulary[place] for place in others[: self.num_candidates]]

    def _make_guess(self):
        """The graph from masked texts to the ids of the likeliest words, `[texts, positions, num_candidates + 1]`."""
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

    Each place changes with that probability (the paper's p), to a candidate drawn evenly.

    Args:
        text: the original.
        places: of `Augmenter.places`.
        num_variants: the paper's N: so many are drawn; duplicates are dropped.
        probability: the paper's p.
        rng: of the draws.
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
    """As `make_variants` for an example of one text or two: one column changes, the other stays the original."""
    first, second = texts
    made = [(v, second) for v in make_variants(first, places[0], num_variants, probability, rng)]
    if second is not None:
        made += [(first, v) for v in make_variants(second, places[1], num_variants, probability, rng)]
    return made


def _others(words: Iterable[str], original: str) -> tuple[str, ...]:
    """The words in the original's case, each once and without the original, as "film" and "Film" become one."""
    written = dict.fromkeys(_as_written(word, original) for word in words)
    return tuple(word for word in written if word != original)


def _as_written(word: str, original: str) -> str:
    """The word in the original's case."""
    if original.isupper() and len(original) > 1:
        return word.upper()
    return word[0].upper() + word[1:] if original[0].isupper() else word
