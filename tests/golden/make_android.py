"""Writes `android_demo/core/src/test/resources/golden.json`: ids by Hugging Face's `tokenizers`, for the demo's tests.

python -m tests.golden.make_android
"""

import json
from pathlib import Path

import numpy as np

from tests.conftest import PIECES
from tinybert_tf.tflite.classifier import answer
from tinybert_tf.tflite.tokenizer import bert_tokenizer

FILE = Path(__file__).parents[2] / "android_demo" / "core" / "src" / "test" / "resources" / "golden.json"
VOCABULARY = [
    *PIECES,
    "A",
    "É",
    "e",
    "##e",
    "##É",
    "ß",
    "中",
    "##中",
    "…",
    "-",
    "?",
    "mask",
    "[",
    "]",
    "😀",
    "한",
    "ᄒ",
    "##ᅡ",
    "##ᆫ",
    "##국",
    "국",
    "##ᄀ",
    "##ᅮ",
    "##ᆨ",
    "##中",
    "##文",
    "é",
    "##é",
    "i",
    "##\u0307",
    "##\x07",
    "\u200b",
    "##\u200b",
    "",
    "film",
]
# Uncased and cased, then the rest: lowercase, strip_accents, tokenize_chinese_chars, clean_text.
_NAMES = ("lowercase", "strip_accents", "tokenize_chinese_chars", "clean_text")
_VALUES = [(True, True, True, True), (False, False, True, True), (True, False, True, True), (False, True, True, True)]
_VALUES += [
    (True, True, False, True),
    (False, False, False, True),
    (True, False, False, False),
    (False, False, True, False),
]
RULES = [dict(zip(_NAMES, values)) for values in _VALUES]
TEXTS = [
    "",
    "   \t\r\n",
    "A fine film.",
    "The story IS dull, and the film is not fine!",
    "films filming filmed filmly",
    "Unfilmed un-fine",
    "café É e\u0301e",
    "a\u00adfilm a\u200bfilm a\u200dfilm",  # soft hyphen, zero width space and joiner
    "a\u00a0film\u2003the\u3000story\u2028it",
    "film\u0000film \x07film \ufffd \x1cfilm",
    "中a中film",
    "dull…fine—good",
    "ß İa ẞ",
    "한 \u1112\u1161\u11ab",
    "😀 good😀",
    "[MASK] [CLS] mask",
    "a" * 100,
    "a" * 101,
    "中" * 120,
    "a" * 99 + "\u0301\u0301 film",
    "!'!''",
    "good " * 40,
    "한국 한국中文é 中文中 中É",
    "a\x0bfilm\x85film\x1f film a\x07 \u200b\u200b a\ufffd \ue000",
    "ΣΑΣ İİ Éé Ⅻ Ǆ",
]
LABELS = ["bad", "good", "neither"]
PAIRS = [(0, 0), (2, 0), (0, 2), (2, 3), (3, 2), (21, 2), (2, 21), (21, 21), (3, 21), (10, 14)]


def golden() -> dict:
    """The vectors, as the file has them."""
    cases = []
    for number, rules in enumerate(RULES):
        for length in (8, 11, 64) if number < 2 else (64,):
            tokenizer = bert_tokenizer(VOCABULARY, sequence_length=length, **rules)
            rows = [(text, None) for text in TEXTS] + [(TEXTS[i], TEXTS[j]) for i, j in PAIRS]
            for text, pair in rows:
                row = tokenizer.encode(text, pair)
                case = rules | {"sequence_length": length, "text": text, "text_pair": pair}
                cases.append(case | {"token_ids": row.ids, "segment_ids": row.type_ids})
    return {"vocabulary": VOCABULARY, "cases": cases, "answers": answers()}


def answers() -> list[dict]:
    """Probabilities of three classes, thresholds, and the labels that Python gives; null where it abstains."""
    rows = [[0.1, 0.2, 0.7], [0.83, 0.12, 0.05], [0.4, 0.4, 0.2], [0.0, 0.0, 1.0], [0.82999998, 0.1, 0.07000002]]
    found = []
    for row in rows:
        # The threshold may lie between two float32 numbers: it is compared as one.
        for threshold in (None, 0.4, 0.7, 0.83, 0.8300001, 0.999999):
            values = np.array(row, np.float32)
            label = answer(LABELS, values, abstain_below=threshold)["label"]
            found.append({"probabilities": values.tolist(), "abstain_below": threshold, "label": label})
    return found


def main():
    found = golden()
    cases = ",\n".join("  " + json.dumps(case) for case in found["cases"])
    vocabulary = json.dumps(found["vocabulary"])
    answers = ",\n".join("  " + json.dumps(case) for case in found["answers"])
    text = f'{{"vocabulary": {vocabulary},\n "cases": [\n{cases}\n],\n "answers": [\n{answers}\n]}}\n'
    FILE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
