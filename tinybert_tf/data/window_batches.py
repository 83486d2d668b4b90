"""Windows as rows for batches, with what goes along: labels, and the teacher's logits."""

import numpy as np

from tinybert_tf.data.questions import Questions
from tinybert_tf.data.windows import MAX_QUESTION, SEQUENCE_LENGTH, STRIDE, Windows, windows_of


def window_options(sequence_length: int) -> dict[str, int]:
    """Returns the stride and the longest question of windows of this length: BERT's 128 and 64 from 384 tokens on."""
    return {"stride": min(STRIDE, sequence_length // 3), "max_question": min(MAX_QUESTION, sequence_length // 2)}


class WindowRows:
    """The windows of questions, as rows of a batch.

    Args:
        questions: The questions.
        tokenizer: A `tokenizers.Tokenizer`, as for `windows_of`.
        sequence_length: Most tokens in a window.

    Attributes:
        windows: The windows.
        lengths: Number of tokens in each, `[windows]`.
        teacher_logits: Start and end logits of a teacher, `[2, tokens of all windows]`, or None.
    """

    def __init__(self, questions: Questions, tokenizer, sequence_length: int = SEQUENCE_LENGTH):
        self.windows: Windows = windows_of(questions, tokenizer, sequence_length, **window_options(sequence_length))
        self.lengths = self.windows.lengths
        self.teacher_logits: np.ndarray | None = None
        self._begins = np.concatenate([[0], np.cumsum(self.lengths, dtype=np.int64)])

    def __len__(self) -> int:
        return len(self.lengths)

    def rows(self, places: np.ndarray) -> dict[str, np.ndarray]:
        """Returns `token_ids`, `segment_ids` and `padding_mask`, int32 `[places, length]`, padded to the longest.

        With `teacher_logits` there are also these, float32 `[places, 2, length]`.
        """
        rows = self.windows.batch(places)
        if self.teacher_logits is not None:
            logits = np.zeros((len(places), 2, rows["token_ids"].shape[1]), np.float32)
            for row, place in enumerate(places):
                logits[row, :, : self.lengths[place]] = self.of(place, self.teacher_logits)
            rows["teacher_logits"] = logits
        return rows

    def of(self, place: int, values: np.ndarray) -> np.ndarray:
        """Returns a window's part of values of all tokens, `[…, tokens]`."""
        return values[..., self._begins[place] : self._begins[place + 1]]
