"""Logits of many examples: in their order, whatever the batches, and cached for the next time."""

import numpy as np

from tests.tolerance import assert_close
from tinybert_tf.data.batches import TokenizedExamples
from tinybert_tf.data.examples import Examples
from tinybert_tf.evaluation.prediction import Predictor, cached_logits

TEXTS = ["a fine film", "dull", "the story of a film is good and bad , and it is fine", "it is good", "bad"]


def test_logits_come_in_the_order_of_the_examples(make_classifier):
    model = make_classifier()
    tokens = TokenizedExamples(Examples(TEXTS), model.tokenizer, 16)
    logits = Predictor(model, batch_size=2).logits(tokens)
    assert_close(logits, np.concatenate([model(model.tokenizer([text])) for text in TEXTS]), 1e-5)  # sums that cancel


def test_logits_are_kept_by_weights_and_texts(make_classifier, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYBERT_HOME", str(tmp_path))
    model = make_classifier()
    first = cached_logits(model, Examples(TEXTS), 16)
    (file,) = (tmp_path / "logits").iterdir()
    written = file.stat().st_mtime_ns
    np.testing.assert_array_equal(cached_logits(model, Examples(TEXTS), 16), first)
    assert file.stat().st_mtime_ns == written
    cached_logits(model, Examples(TEXTS[::-1]), 16)
    model.classifier.bias.assign([5.0, -5.0])
    assert not np.allclose(cached_logits(model, Examples(TEXTS), 16), first)
    assert len(list((tmp_path / "logits").iterdir())) == 3
    cached_logits(make_classifier(dtype="mixed_bfloat16"), Examples(TEXTS), 16)  # the same weights
    assert len(list((tmp_path / "logits").iterdir())) == 4
