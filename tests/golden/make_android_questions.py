"""Writes `android_demo/core/src/test/resources/questions.json`: Python's windows and answers, for the demo's tests.

Places are counted in UTF-16, as Java's strings count them.

python -m tests.golden.make_android_questions
"""

import json
from pathlib import Path

import numpy as np

from tests.golden.make_android import RULES, VOCABULARY
from tinybert_tf.data.questions import Questions
from tinybert_tf.data.spans import spans_of
from tinybert_tf.data.windows import windows_of
from tinybert_tf.tflite.tokenizer import bert_tokenizer

FILE = Path(__file__).parents[2] / "android_demo" / "core" / "src" / "test" / "resources" / "questions.json"
CONTEXTS = [
    "A fine film.",
    "The story IS dull, and the film is not fine! " * 2,
    "café É e\u0301e, cafe\u0301s \u0301 fine\u0301\u0302 film",
    "😀 good😀 👩\u200d👩\u200d👧 film ❤\ufe0f \U0001d11e\u0301!",
    "中a中film 中文中 ß İa ẞ ΣΑΣ",
    "한국 \u1112\u1161\u11ab 한국中文é é É",
    "a\u00adfilm a\u200bfilm  \t film\u0000film \x07film \ufffd dull…fine—good",
    "a" * 101 + " film " + "a" * 99 + "\u0301\u0301 good",
    "good bad film story " * 12 + "😀 dull",
    "good",
]
SIZES = ("sequence_length", "stride", "max_question")


def cases():
    """Each context under some rules and sizes, with logits of one decimal, so that some spans are equal."""
    rng = np.random.default_rng(18)
    for number, context in enumerate(CONTEXTS):
        for rules in (RULES[0], RULES[1], RULES[2 + number % 6]):
            for sizes, threshold in (((384, 128, 64), None), ((16, 5, 4), 0.5), ((13, 99, 8), -20.0)):
                options = dict(zip(SIZES, sizes))
                question = ("A film?", "the 😀 story", "É")[number % 3]
                windows = windows_of(Questions([question], [context]), bert_tokenizer(VOCABULARY, **rules), **options)
                logits = [rng.normal(0, 2, (2, length)).round(1).astype(np.float32) for length in windows.lengths]
                (span,) = spans_of(windows, *zip(*logits), threshold, max_answer=7)
                yield {
                    **rules,
                    **options,
                    "question": question,
                    "context": context,
                    "max_answer": 7,
                    "null_threshold": threshold,
                    "windows": [window_of(window, rows, context) for window, rows in zip(windows, logits)],
                    "answer": {
                        "text": span.text,
                        "start": in_utf16(context, span.start),
                        "end": in_utf16(context, span.end),
                        "score": span.score,
                        "probability": span.probability,
                        "null_odds": span.null_odds,
                        "no_answer": span.no_answer,
                    },
                }


def window_of(window, logits, context: str) -> dict:
    """A window, and the logits that a model would give to it: of starts, then of ends."""
    begins, ends = ([in_utf16(context, place) for place in column] for column in window.offsets.T)
    return {
        "token_ids": window.token_ids.tolist(),
        "first": window.first,
        "begins": begins,
        "ends": ends,
        "best": window.best.astype(int).tolist(),
        "logits": [round(float(value), 1) for value in logits.ravel()],
    }


def in_utf16(text: str, place: int) -> int:
    """The place of a character as Java counts it."""
    return len(text[:place].encode("utf-16-le", "surrogatepass")) // 2


def golden() -> dict:
    """The vectors, as the file has them."""
    return {"vocabulary": VOCABULARY, "cases": list(cases())}


def main():
    found = golden()
    rows = ",\n".join("  " + json.dumps(case, separators=(",", ":")) for case in found["cases"])
    FILE.write_text(f'{{"vocabulary": {json.dumps(VOCABULARY)},\n "cases": [\n{rows}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
