"""The vectors that the demo's own unit tests check the Kotlin tokenizer with."""

import json

import numpy as np
import pytest

from tests.golden import make_android, make_android_questions
from tinybert_tf.models import BertTokenizer

GOLDEN = json.loads(make_android.FILE.read_text(encoding="utf-8"))


def test_golden_vectors_are_hugging_faces():
    assert make_android.golden() == GOLDEN


def test_our_tokenizer_gives_the_golden_vectors():
    tokenizers = {}
    for case in GOLDEN["cases"]:
        rules = {name: case[name] for name in make_android.RULES[0]}
        key = tuple(rules.values())
        tokenizer = tokenizers[key] = tokenizers.get(key) or BertTokenizer(GOLDEN["vocabulary"], **rules)
        pairs = None if case["text_pair"] is None else [case["text_pair"]]
        row = tokenizer([case["text"]], pairs, sequence_length=case["sequence_length"])
        assert np.array_equal(row["token_ids"][0], case["token_ids"]), case
        assert np.array_equal(row["segment_ids"][0], case["segment_ids"]), case


def test_golden_answers_are_pythons():
    golden = json.loads(make_android_questions.FILE.read_text(encoding="utf-8"))
    ours = json.loads(json.dumps(make_android_questions.golden()))
    # NumPy's exponentials differ in their last bit between processors.
    probabilities, expected = (
        [case["answer"].pop("probability") for case in found["cases"]] for found in (ours, golden)
    )
    assert probabilities == pytest.approx(expected, rel=1e-14)
    assert ours == golden
    assert sum(len(case["windows"]) > 1 for case in golden["cases"]) > 25
    assert {case["answer"]["no_answer"] for case in golden["cases"]} == {True, False}
