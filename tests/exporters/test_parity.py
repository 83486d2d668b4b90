"""The texts that files are compared on."""

from tests.conftest import PIECES
from tinybert_tf.exporters.parity import examples_for
from tinybert_tf.models import BertTokenizer


def test_words_of_a_vocabulary_with_odd_lines(make_classifier):
    """An empty line and a bare ## are no words; the published Chinese vocabulary has both."""
    classifier = make_classifier(tokenizer=BertTokenizer([*PIECES[:26], "", "##", "", "影"], sequence_length=24))
    words = set(" ".join(examples_for(None, classifier).texts).split(" "))
    assert "影" in words and not words & {"", "##", "[PAD]", "##s"}
