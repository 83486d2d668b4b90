"""Tables with more rows than the vocabulary has lines, and models of one segment."""

import logging

import numpy as np
import pytest

from tests.conftest import PIECES
from tests.presets.folders import change_json, change_weights, same
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier, BertEncoder, BertMaskedLM

TOKENS = "embeddings.word_embeddings.weight"


def pad(folder, count, names=(TOKENS,), key="vocab_size"):
    """Adds rows of large numbers, which would show in any answer."""

    def change(tensors):
        for name in tensors:
            if name.endswith(names):
                table = tensors[name]
                tensors[name] = np.concatenate([table, np.full((count, *table.shape[1:]), 9, table.dtype)])
        return tensors

    change_weights(folder, change)
    change_json(folder / "config.json", **{key: len(PIECES) + count})


def test_rows_behind_the_last_piece_are_left_out(encoder, folder, batch, tmp_path, caplog):
    pad(folder, 6)
    with caplog.at_level(logging.INFO, "absl"):
        loaded = BertEncoder.from_preset(folder)
    assert [line for line in caplog.messages if "rows" in line] == [
        f"{folder}: the 6 rows behind the last of 30 pieces are left out."
    ]
    assert loaded.config == encoder.config and same(loaded, encoder, batch)
    loaded.save_to_preset(tmp_path / "again")
    assert same(BertEncoder.from_preset(tmp_path / "again"), encoder, batch)


def test_a_masked_lm_loses_the_same_rows_of_its_bias(make_encoder, batch, tmp_path):
    model = BertMaskedLM(make_encoder())
    model.output_bias.assign(np.arange(len(PIECES)))
    model.save_to_preset(tmp_path / "model")
    inputs = batch | {"masked_positions": np.ones((3, 1), "int32")}
    pad(tmp_path / "model", 11, (TOKENS, "cls.predictions.bias"))
    loaded = BertMaskedLM.from_preset(tmp_path / "model")
    assert loaded(inputs).shape == (3, 1, len(PIECES)) and same(loaded, model, inputs)
    change_json(tmp_path / "model" / "config.json", tie_word_embeddings=False)
    with pytest.raises(InputError, match=r"tie_word_embeddings False; expected a masked LM whose output is the token"):
        BertMaskedLM.from_preset(tmp_path / "model")
    BertEncoder.from_preset(tmp_path / "model")  # needs no output


def test_an_mpnet_loses_them_too(make_encoder, batch, tmp_path):
    mpnet = make_encoder(num_segments=0, relative_position_buckets=32, family="mpnet")
    mpnet.save_to_preset(tmp_path)
    pad(tmp_path, 8)
    change_json(tmp_path / "config.json", vocab_size=len(PIECES) + 5 + 8)
    assert same(BertEncoder.from_preset(tmp_path), mpnet, batch)


def test_padding_of_the_table_alone_is_refused(folder):
    pad(folder, 6)
    change_json(folder / "config.json", vocab_size=len(PIECES))
    with pytest.raises(InputError, match=r"word_embeddings.weight of shape \(36, 12\); expected \(30, 12\)"):
        BertEncoder.from_preset(folder)


def test_one_segment(make_encoder, tmp_path):
    """Texts work and pairs are refused, before and after a visit to the disk."""
    classifier = BertClassifier(make_encoder(num_segments=1), ["bad", "good"])
    classifier.save_to_preset(tmp_path)
    loaded = BertClassifier.from_preset(tmp_path)
    tokens = loaded.tokenizer(["a fine film", "dull"])
    assert same(loaded, classifier, tokens)
    with pytest.raises(InputError, match=r"text_pairs: got second texts; .* one segment \(type_vocab_size 1\)"):
        loaded.tokenizer(["a film"], ["it"])
