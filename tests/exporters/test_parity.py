"""The texts that files are compared on, and how far their answers may be from the model's."""

import numpy as np
import pytest

from tests.conftest import PIECES
from tinybert_tf.data.examples import Examples
from tinybert_tf.errors import InputError
from tinybert_tf.exporters.parity import Reference, examples_for
from tinybert_tf.models import BertTokenizer


def test_words_of_a_vocabulary_with_odd_lines(make_classifier):
    """An empty line and a bare ## are no words; the published Chinese vocabulary has both."""
    classifier = make_classifier(tokenizer=BertTokenizer([*PIECES[:26], "", "##", "", "影"], sequence_length=24))
    words = set(" ".join(examples_for(None, classifier).texts).split(" "))
    assert "影" in words and not words & {"", "##", "[PAD]", "##s"}


@pytest.mark.usefixtures("eagerly")
def test_numbers_of_any_unit_are_compared_by_their_size(make_classifier):
    reference = Reference(make_classifier(labels=["score"], num_layers=1), None, Examples(["a fine film"]), 8)
    for unit in (1e-6, 1.0, 1e6):
        reference.answers = np.array([[unit], [-unit / 2]], np.float32)
        found = reference.compare(reference.answers * np.float32(1 + 1e-6), "student.tflite", "float32")
        assert found["max_difference"] == pytest.approx(1e-6 * unit, rel=0.1)
        with pytest.raises(RuntimeError, match="from the Keras model; expected at most"):
            reference.compare(reference.answers * np.float32(1.001), "student.tflite", "float32")
        infinite = np.full_like(reference.answers, np.inf)
        for variant, limit in (("float16", "at most"), ("int8", "finite numbers")):
            with pytest.raises(InputError, match=rf"{variant}, in which student.tflite is inf .*; expected {limit}"):
                reference.compare(infinite, "student.tflite", variant)
