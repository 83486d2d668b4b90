"""A model with fewer WordPieces computes the same from texts that are made of those that stay."""

import numpy as np
import pytest

from tests.conftest import PIECES, randomize
from tinybert_tf.data.vocabulary import count_pieces, pieces_to_keep
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier, BertEncoder, BertMaskedLM
from tinybert_tf.models.vocabulary import with_pieces

TEXTS = ["the film is fine", "dull films , un good"]


@pytest.fixture(params=["encoder", "classifier", "masked_lm", "mpnet"])
def model(request, make_encoder):
    if request.param == "mpnet":
        return make_encoder(num_segments=0, relative_position_buckets=8, family="mpnet")
    kinds = {"encoder": lambda e: e, "classifier": lambda e: BertClassifier(e, ["a", "b"]), "masked_lm": BertMaskedLM}
    made = kinds[request.param](make_encoder())
    randomize(made, 1)
    return made


def outputs_of(model, tokenizer):
    inputs = {name: value.numpy() for name, value in tokenizer(TEXTS).items()}
    if isinstance(model, BertMaskedLM):
        inputs["masked_positions"] = np.array([[1, 2], [2, 3]])
    made = model(inputs, training=False)
    return np.asarray(made["sequence_output"] if isinstance(model, BertEncoder) else made)


def test_texts_of_the_corpus_give_the_same_numbers(model, tmp_path):
    kept = pieces_to_keep(PIECES, count_pieces(model.tokenizer, TEXTS))
    cut = with_pieces(model, kept)
    assert type(cut) is type(model) and cut.config.family == model.config.family
    assert cut.tokenizer.vocabulary == [PIECES[i] for i in kept] and len(kept) < len(PIECES)
    whole, part = outputs_of(model, model.tokenizer), outputs_of(cut, cut.tokenizer)
    np.testing.assert_array_equal(part, whole[..., kept] if isinstance(model, BertMaskedLM) else whole)
    cut.save_to_preset(tmp_path / "cut")
    np.testing.assert_array_equal(outputs_of(type(model).from_preset(tmp_path / "cut"), cut.tokenizer), part)


def test_special_tokens_cannot_go(make_encoder):
    with pytest.raises(InputError, match=r"kept: got none of \[PAD\], \[MASK\]"):
        with_pieces(make_encoder(), [1, 2, 3, 5, 6])
