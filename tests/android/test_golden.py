"""The vectors that the demo's own unit tests check the Kotlin tokenizer with."""

import json

import numpy as np

from tests.golden import make_android
from tinybert_tf.models import BertTokenizer

GOLDEN = json.loads(make_android.FILE.read_text(encoding="utf-8"))


def test_golden_vectors_are_hugging_faces():
    assert make_android.golden() == GOLDEN


def test_our_tokenizer_gives_the_golden_vectors():
    tokenizers = {lowercase: BertTokenizer(GOLDEN["vocabulary"], lowercase) for lowercase in (True, False)}
    for case in GOLDEN["cases"]:
        pairs = None if case["text_pair"] is None else [case["text_pair"]]
        row = tokenizers[case["lowercase"]]([case["text"]], pairs, sequence_length=case["sequence_length"])
        assert np.array_equal(row["token_ids"][0], case["token_ids"]), case
        assert np.array_equal(row["segment_ids"][0], case["segment_ids"]), case
