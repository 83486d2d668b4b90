"""Windows: rows of a question and a part of its context, which knows its place in the original text.

A row is `[CLS] question [SEP] context [SEP]`. A context that does not fit is cut into windows that overlap, as BERT's
own script for SQuAD does it: each begins `stride` WordPieces after the one before.
"""

import dataclasses
import unicodedata
from collections.abc import Sequence

import numpy as np

from tinybert_tf.data.questions import Questions
from tinybert_tf.errors import InputError

SEQUENCE_LENGTH, STRIDE, MAX_QUESTION = 384, 128, 64  # of BERT's script


@dataclasses.dataclass(frozen=True)
class Window:
    """A row: a question and a part of its context.

    Args:
        question: The place of the question among the questions.
        token_ids: int32 `[length]`.
        first: The place of the context's first WordPiece in the row; segment 1 begins there.
        offsets: The characters of the context that each of its WordPieces stands for: from the first to before the
            second, int32 `[pieces, 2]`. The row has `first + pieces + 1` tokens.
        best: Whether a WordPiece is seen with more context around it in no other window, bool `[pieces]`.
    """

    question: int
    token_ids: np.ndarray
    first: int
    offsets: np.ndarray
    best: np.ndarray

    def __len__(self) -> int:
        return len(self.token_ids)

    @property
    def segment_ids(self) -> np.ndarray:
        """0 for the question and its special tokens, 1 for the context and its [SEP], int32 `[length]`."""
        return (np.arange(len(self)) >= self.first).astype(np.int32)

    @property
    def context_mask(self) -> np.ndarray:
        """Whether a token is one of the context, bool `[length]`."""
        places = np.arange(len(self))
        return (places >= self.first) & (places < len(self) - 1)


class Windows:
    """The windows of some questions, made when they are asked for; each context's tokens are held once.

    Args:
        questions: The questions.
        rows: The question of each window, its first WordPiece in the context, and how many it has,
            int32 `[windows, 3]`; the windows of a question follow one another.
        question_pieces: The WordPieces of each question.
        context_pieces: The WordPieces of each question's context.
        context_offsets: Their characters, int32 `[pieces, 2]`.
        special_ids: The ids of [PAD], [CLS] and [SEP].
        num_cut: Number of questions that were too long and have been cut.

    Attributes:
        lengths: Number of tokens in each window, int32 `[windows]`.
    """

    def __init__(
        self,
        questions: Questions,
        rows: np.ndarray,
        question_pieces: Sequence[np.ndarray],
        context_pieces: Sequence[np.ndarray],
        context_offsets: Sequence[np.ndarray],
        special_ids: tuple[int, int, int],
        num_cut: int = 0,
    ):
        self.questions, self.rows, self.num_cut = questions, rows, num_cut
        self._question_pieces, self._special_ids = question_pieces, special_ids
        self._context_pieces, self._context_offsets = context_pieces, context_offsets
        sizes = np.array([len(pieces) for pieces in question_pieces], np.int32)
        self.lengths = sizes[rows[:, 0]] + rows[:, 2] + 3
        self.starts = np.searchsorted(rows[:, 0], np.arange(len(questions) + 1))  # of each question's windows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> Window:
        question, begin, size = (int(value) for value in self.rows[place])
        _, cls, sep = self._special_ids
        asked, part = self._question_pieces[question], slice(begin, begin + size)
        ids = np.concatenate([[cls], asked, [sep], self._context_pieces[question][part], [sep]]).astype(np.int32)
        offsets = self._context_offsets[question][part]
        return Window(question, ids, len(asked) + 2, offsets, self._is_best(place))

    def of(self, question: int) -> range:
        """Returns the places of a question's windows."""
        return range(self.starts[question], self.starts[question + 1])

    def offsets_of(self, question: int) -> np.ndarray:
        """Returns the characters of each WordPiece of a question's whole context, int32 `[pieces, 2]`."""
        return self._context_offsets[question]

    def batch(self, places: Sequence[int], length: int = 0) -> dict[str, np.ndarray]:
        """Returns `token_ids`, `segment_ids` and `padding_mask`, int32 `[places, length]`.

        Args:
            places: Places of windows.
            length: Tokens in a row, padding included; by default those of the longest of these windows.
        """
        shape = len(places), length or int(self.lengths[np.asarray(places)].max(initial=1))
        ids = np.full(shape, self._special_ids[0], np.int32)
        segments, mask = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        for row, place in enumerate(places):
            window = self[place]
            ids[row, : len(window)], segments[row, window.first : len(window)] = window.token_ids, 1
            mask[row, : len(window)] = 1
        return {"token_ids": ids, "segment_ids": segments, "padding_mask": mask}

    def labels(self) -> np.ndarray:
        """Returns the places of the first and last token of each question's first answer, int32 `[windows, 2]`.

        Both are 0, the place of [CLS], where the question has no answer or the window does not hold all of it. The
        tokens are those that the answer shares a character with: an answer may begin or end within a WordPiece.
        """
        labels = np.zeros((len(self), 2), np.int32)
        for question, answers in enumerate(self.questions.answers):
            if answers:
                first, last = self.pieces_of(question, *answers[0])
                _, begins, sizes = self.rows[self.starts[question] : self.starts[question + 1]].T
                holds = (begins <= first) & (last < begins + sizes) & (first <= last)
                context = len(self._question_pieces[question]) + 2 - begins
                found = np.stack([context + first, context + last], axis=1) * holds[:, None]
                labels[self.starts[question] : self.starts[question + 1]] = found
        return labels

    def pieces_of(self, question: int, text: str, start: int) -> tuple[int, int]:
        """Returns the first and the last WordPiece in the context that share a character with an answer.

        The last one is before the first where no WordPiece does: in an answer of control characters.
        """
        start, end = start + len(text) - len(text.lstrip()), start + len(text.rstrip())
        begins, ends = self._context_offsets[question].T
        return int(np.searchsorted(ends, start, "right")), int(np.searchsorted(begins, end, "left")) - 1

    def _is_best(self, place: int) -> np.ndarray:
        """Returns for each WordPiece of a window whether no other window has more context around it: the "max context".

        Of its fewer neighbours, on the left or on the right, a window's own must be the most; a longer window wins
        by a hundredth per WordPiece, and then the earlier one.
        """
        question, begin, size = self.rows[place]
        best = np.ones(size, bool)
        if len(self.of(question)) == 1:
            return best
        pieces = np.arange(begin, begin + size)
        around = np.minimum(pieces - begin, begin + size - 1 - pieces) + 0.01 * size
        for other in self.of(question):
            _, start, count = self.rows[other]
            if other != place and start < begin + size and begin < start + count:
                theirs = np.minimum(pieces - start, start + count - 1 - pieces)
                score = np.where(theirs >= 0, theirs + 0.01 * count, -1.0)
                best &= (around > score) if other < place else (around >= score)
        return best


def windows_of(
    questions: Questions,
    tokenizer,
    sequence_length: int = SEQUENCE_LENGTH,
    stride: int = STRIDE,
    max_question: int = MAX_QUESTION,
    bad_lines: str = "skip",
) -> Windows:
    """Returns the windows of questions, in their order.

    Args:
        questions: The questions; answers are not looked at.
        tokenizer: A `tokenizers.Tokenizer` without truncation and padding; see `tinybert_tf.tflite.tokenizer`.
        sequence_length: Most tokens in a window, special tokens included.
        stride: WordPieces from one window's begin in the context to the next one's, at most.
        max_question: Most WordPieces of a question.
        bad_lines: "skip" cuts longer questions, and counts them; "refuse" raises InputError.

    Raises:
        InputError: There is no room for the context, a context has no WordPiece, or a question is too long.
    """
    if sequence_length < max_question + 4:
        expected = f"at least {max_question + 4}: the question's {max_question}, special tokens and some context"
        raise InputError("sequence_length", sequence_length, expected)
    if stride < 1:
        raise InputError("stride", stride, "at least 1")
    asked = [np.array(row.ids, np.int32) for row in _encode(tokenizer, questions.questions)]
    long = [place for place, pieces in enumerate(asked) if len(pieces) > max_question]
    if long and bad_lines == "refuse":
        got = f"{len(asked[long[0]])} WordPieces in the question {questions.questions[long[0]].strip()[:60]!r}"
        raise InputError("max_question", got, f"at most {max_question}")
    asked = [pieces[:max_question] for pieces in asked]
    distinct = list(dict.fromkeys(questions.contexts))
    encoded = {text: _pieces(text, row) for text, row in zip(distinct, _encode(tokenizer, distinct))}
    found = [encoded[context] for context in questions.contexts]
    rows = []
    for place, (pieces, _) in enumerate(found):
        if not len(pieces):
            raise InputError("context", f"that of the question {questions.ids[place]!r}, without a word", "a text")
        begin, room = 0, sequence_length - len(asked[place]) - 3
        while True:
            size = min(room, len(pieces) - begin)
            rows.append((place, begin, size))
            if begin + size == len(pieces):
                break
            begin += min(size, stride)
    special = tuple(tokenizer.token_to_id(token) for token in ("[PAD]", "[CLS]", "[SEP]"))
    rows = np.array(rows, np.int32).reshape(-1, 3)
    return Windows(questions, rows, asked, [ids for ids, _ in found], [at for _, at in found], special, len(long))


def _encode(tokenizer, texts: Sequence[str]) -> list:
    return tokenizer.encode_batch(list(texts), add_special_tokens=False)


def _pieces(text: str, row) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ids and the characters of a text's WordPieces; a mark such as an accent belongs to what it is on."""
    offsets = np.array(row.offsets, np.int32).reshape(-1, 2)
    if not text.isascii():
        begins = np.append(offsets[1:, 0], len(text))
        for place in np.flatnonzero(offsets[:, 1] < begins):
            end = offsets[place, 1]
            while end < begins[place] and unicodedata.category(text[end]).startswith("M"):
                end += 1
            offsets[place, 1] = end
    return np.array(row.ids, np.int32), offsets
