"""Questions and contexts in, answers out, as one TensorFlow graph: `data.windows` and `data.spans` for a server.

Each question is worked on by itself, so that no part needs ragged tensors. The tests compare each part with the Python
code that it repeats.
"""

import tensorflow as tf

from tinybert_tf.configs import INPUTS
from tinybert_tf.data.spans import KEPT, MAX_ANSWER, N_BEST
from tinybert_tf.data.window_batches import window_options
from tinybert_tf.models import BertQuestionAnswerer
from tinybert_tf.models.question_answerer import END, START
from tinybert_tf.tokenizer import BertTokenizer

OUTPUTS = {
    "answer": tf.string,
    "start": tf.int32,
    "end": tf.int32,
    "probability": tf.float32,
    "no_answer": tf.bool,
    "score": tf.float32,
    "null_odds": tf.float32,
}
_CONTEXT = "The bridge, 130 years old, was built of iron. "
_NO_SPAN = {"answer": "", "start": -1, "end": -1, "probability": 1.0, "no_answer": True, "score": 0.0, "null_odds": 0.0}


class SpanGraph:
    """The signature of a question answerer's SavedModel.

    It takes `question` and `context`, strings `[batch]`, and returns, `[batch]` each, `answer`; `start` and `end`,
    which count characters of the context; `probability`; `no_answer`; `score`, the sum of the span's logits; and
    `null_odds`, the score of "no answer" minus that. Where `no_answer` holds, `answer` is "" and the places are -1. A
    question of too many WordPieces is cut. A context without a word holds no answer.

    Args:
        model: The question answerer, with a tokenizer.
        sequence_length: Most tokens in a window.

    Attributes:
        warmup: Requests, a short one and one of several windows: a string by input.
    """

    def __init__(self, model: BertQuestionAnswerer, sequence_length: int):
        self.model, self.length = model, sequence_length
        self.max_question, self.stride = (window_options(sequence_length)[name] for name in ("max_question", "stride"))
        contexts = _CONTEXT, _CONTEXT * (1 + sequence_length // 10)
        self.warmup = [{"question": "How old is the bridge?", "context": context} for context in contexts]

    def signatures(self) -> dict:
        """Returns the function and the inputs of each signature, by its name."""
        inputs = [tf.TensorSpec([None], tf.string, name=name) for name in ("question", "context")]
        return {"serving_default": (self._answers, inputs)}

    def _answers(self, question, context):
        return tf.map_fn(lambda row: self._answer(*row), (question, context), fn_output_signature=OUTPUTS)

    def _answer(self, question, context):
        asked = self.model.tokenizer.tokenize(question[None])[0][: self.max_question]
        pieces, begins, ends = pieces_with_offsets(self.model.tokenizer, context)

        def found():
            inputs, first, at = windows(self.model.tokenizer, asked, pieces, self.length, self.stride)
            logits = self.model(inputs, training=False)
            return self._best(context, begins, ends, first, at, logits[START], logits[END])

        return tf.cond(tf.size(pieces) > 0, found, lambda: {key: tf.constant(value) for key, value in _NO_SPAN.items()})

    def _best(self, context, begins, ends, first, at, start_logits, end_logits):
        """Returns the answer of one question, as `data.spans.best_span` does.

        Args:
            context: The text.
            begins: The first character of each of its WordPieces, int32 `[pieces]`.
            ends: The character after the last.
            first: The place of the context in each window.
            at: The first WordPiece of each window, and how many it has, int32 `[windows, 1]` each.
            start_logits: float32 `[windows, length]`.
            end_logits: The same for the last token.
        """
        scores, firsts, lasts = ranked_spans(first, at, tf.size(begins), start_logits, end_logits)
        start, end = tf.gather(begins, firsts), tf.gather(ends, lasts)
        texts, same = tf.unique(tf.strings.substr(context, start, end - start, unit="UTF8_CHAR"))
        best_of_text = tf.math.unsorted_segment_max(scores, same, tf.size(texts))[:N_BEST]
        null = tf.reduce_min(start_logits[:, 0] + end_logits[:, 0])
        odds, threshold = null - scores[0], self.model.null_threshold
        no_answer = tf.constant(False) if threshold is None else odds > threshold
        given = best_of_text if threshold is None else tf.concat([best_of_text, null[None]], 0)
        return {
            "answer": tf.where(no_answer, "", texts[0]),
            "start": tf.where(no_answer, -1, start[0]),
            "end": tf.where(no_answer, -1, end[0]),
            "probability": tf.nn.softmax(given)[tf.where(no_answer, -1, 0)],
            "no_answer": no_answer,
            "score": scores[0],
            "null_odds": odds,
        }


def pieces_with_offsets(tokenizer: BertTokenizer, text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns a text's WordPieces, the first character of each, and the one after its last: int32 `[pieces]` each.

    A mark such as an accent belongs to the character that it is on.

    Args:
        tokenizer: The tokenizer.
        text: A string `[]`.
    """
    ids, begins, ends = tokenizer.tokenize_with_offsets(text)
    characters, at = tf.strings.unicode_split_with_offsets(text, "UTF-8", errors="replace")
    count = tf.size(characters)
    first = tf.searchsorted(at, begins, side="right") - 1
    last = tf.searchsorted(at, ends, side="right")  # the character after
    others = tf.boolean_mask(tf.range(count), ~tf.strings.regex_full_match(characters, r"\p{M}"))
    others = tf.concat([others, [count]], 0)  # all characters but marks
    after_marks = tf.gather(others, tf.searchsorted(others, last))
    until = tf.concat([first[1:], [count]], 0)
    return ids, first, tf.maximum(last, tf.minimum(after_marks, until))


def windows(
    tokenizer: BertTokenizer, question: tf.Tensor, pieces: tf.Tensor, length: int, stride: int
) -> tuple[dict[str, tf.Tensor], tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
    """Returns the windows of a question as `data.windows` makes them.

    Args:
        tokenizer: The tokenizer.
        question: WordPieces of the question, int32 `[question]`.
        pieces: WordPieces of the context, int32 `[pieces]`, at least one.
        length: Most tokens in a window.
        stride: WordPieces from one window's begin in the context to the next one's, at most.

    Returns:
        The model's inputs, int32 `[windows, length]`; the place of the context in a window; the first WordPiece of
        each window and how many it has, int32 `[windows, 1]` each.
    """
    first, count = tf.size(question) + 2, tf.size(pieces)
    room = length - first - 1
    step = tf.minimum(room, stride)
    more = tf.maximum(0, -((room - count) // step))  # windows after the first: what is left over the step, rounded up
    begins = step * tf.range(more + 1)[:, None]
    sizes = tf.minimum(room, count - begins)
    place = tf.range(first + tf.reduce_max(sizes) + 1)[None]
    last = first + sizes
    tokens = tf.concat([[tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id], question, pieces], 0)
    source = tf.where(place < first, place + 2, 3 + tf.size(question) + begins + place - first)
    source = tf.where((place == first - 1) | (place == last), 2, tf.where(place == 0, 1, source))
    mask = place <= last
    inputs = (
        tf.gather(tokens, tf.where(mask, source, 0)),
        tf.cast(mask & (place >= first), tf.int32),
        tf.cast(mask, tf.int32),
    )
    return dict(zip(INPUTS, inputs)), first, (begins, sizes)


def ranked_spans(
    first: tf.Tensor, at: tuple[tf.Tensor, tf.Tensor], count: tf.Tensor, start_logits: tf.Tensor, end_logits: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the best spans of all windows, best first: scores, first and last WordPieces of the context, `[spans]`.

    A span begins at a WordPiece that no other window shows with more context, if there is one.
    """
    begins, sizes = at
    pieces = tf.range(count)[None]
    inside = (pieces >= begins) & (pieces < begins + sizes)
    around = tf.cast(tf.minimum(pieces - begins, begins + sizes - 1 - pieces), tf.float64)
    around = tf.where(inside, around + 0.01 * tf.cast(sizes, tf.float64), -1.0)
    shows_best = tf.argmax(around, 0, tf.int32)[None] == tf.range(tf.size(begins))[:, None]  # [windows, pieces]
    place = tf.range(tf.reduce_max(sizes))[None]
    piece = begins + place  # [windows, places]
    valid = place < sizes
    may_begin = valid & tf.gather(shows_best, tf.minimum(piece, count - 1), axis=1, batch_dims=1)
    part = slice(first, first + tf.reduce_max(sizes))
    starts = tf.where(may_begin, start_logits[:, part], -float("inf"))
    ends = tf.pad(
        tf.where(valid, end_logits[:, part], -float("inf")),
        [[0, 0], [0, MAX_ANSWER - 1]],
        constant_values=-float("inf"),
    )
    scores = starts[:, :, None] + tf.signal.frame(ends, MAX_ANSWER, 1)
    scores = tf.reshape(scores, [tf.size(begins), -1])
    best, where = tf.math.top_k(scores, tf.minimum(KEPT, tf.shape(scores)[1]))
    firsts = begins + where // MAX_ANSWER
    lasts = firsts + where % MAX_ANSWER
    order = tf.argsort(tf.reshape(best, [-1]), direction="DESCENDING", stable=True)
    best, firsts, lasts = (tf.gather(tf.reshape(values, [-1]), order) for values in (best, firsts, lasts))
    finite = tf.math.is_finite(best)
    return tuple(tf.boolean_mask(values, finite) for values in (best, firsts, lasts))
