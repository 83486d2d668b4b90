"""The graph that answers questions in a SavedModel, against the Python code that it repeats."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import randomize
from tinybert_tf.data.questions import Questions
from tinybert_tf.data.windows import windows_of
from tinybert_tf.evaluation.span_prediction import SpanPredictor, window_rows
from tinybert_tf.exporters.saved_model import answers_of, save_for_serving
from tinybert_tf.exporters.serving_spans import SpanGraph, pieces_with_offsets
from tinybert_tf.models import BertQuestionAnswerer
from tinybert_tf.tflite.tokenizer import bert_tokenizer
from tinybert_tf.tokenizer import BertTokenizer

LETTERS = "abcdefghijklmnopqrstuvwxyz\u0301\u1112\u1161\u11ab中é"
PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    *LETTERS,
    *(f"##{letter}" for letter in LETTERS),
    "the",
    "##ing",
    ".",
    "#",
]
TEXTS = [
    "Cafe\u0301\u200b ÀÉ中x\U0001f600 ﷺ 한한 İstanbul",
    "\u0301start a.\u0301 b a\u0301\u0301ing",
    "x" * 150 + " a\u0301" + "b" * 101 + " " + "c" * 100,
    "a\u0301" * 120 + "." + "é" * 99 + "the",
    "  leading, zero\0nul\u00adsoft a##b ##ing ",
]


@pytest.mark.parametrize("rules", [{}, {"lowercase": False}, {"clean_text": False, "tokenize_chinese_chars": False}])
def test_pieces_have_the_places_of_hugging_faces_tokenizer(rules):
    tokenizer = BertTokenizer(PIECES, **rules)
    theirs = bert_tokenizer(PIECES, **tokenizer.normalization)
    windows = windows_of(Questions(["a"] * len(TEXTS), TEXTS), theirs, 4096)
    for place, text in enumerate(TEXTS):
        ids, begins, ends = pieces_with_offsets(tokenizer, tf.constant(text))
        window = windows[place]
        np.testing.assert_array_equal(ids, window.token_ids[window.first : -1])
        np.testing.assert_array_equal(np.stack([begins, ends], 1), windows.offsets_of(place))


@pytest.fixture(scope="module")
def questions():
    """Contexts of one window and of many, with equal texts in several places; and a question that is too long."""
    rng = np.random.default_rng(0)
    contexts = [
        " ".join(rng.choice(["the", "fine", "film", "is", "dull", "."], size=n)) for n in (1, 5, 6, 40, 97, 300)
    ]
    return Questions(["the film", "is", "a" * 3, "dull . fine", "is the film " * 20, "dull"], contexts)


def test_the_saved_model_answers_as_the_model_does(make_encoder, questions, tmp_path):
    threshold = 0.2
    model = BertQuestionAnswerer(make_encoder(num_layers=1), threshold)
    randomize(model.qa_outputs, 3)
    wanted = SpanPredictor(model).spans(window_rows(questions, model, 24), threshold)
    save_for_serving(SpanGraph(model, 24), tmp_path / "served")
    found = answers_of(tmp_path / "served" / "1", questions.questions, questions.contexts)
    for ours, theirs in zip(wanted, found):
        assert ours.as_dict() | {"probability": 0} == theirs.as_dict() | {"probability": 0}
        for name in ("score", "probability", "null_odds"):
            assert getattr(theirs, name) == pytest.approx(getattr(ours, name), rel=1e-5, abs=1e-5)
    assert 0 < sum(span.no_answer for span in wanted) < len(wanted)


def test_a_context_without_a_word_holds_no_answer(make_encoder):
    graph, inputs = SpanGraph(BertQuestionAnswerer(make_encoder(num_layers=1)), 24).signatures()["serving_default"]
    found = tf.function(graph, input_signature=inputs)(tf.constant(["is", "is"]), tf.constant([" \u200b", "fine"]))
    assert found["no_answer"].numpy().tolist() == [True, False]
    assert found["answer"].numpy().tolist() == [b"", b"fine"] and found["start"].numpy().tolist() == [-1, 0]
