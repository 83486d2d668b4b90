"""Casing, accents, Chinese characters and cleaning, as a folder's files say them, or else its vocabulary."""

import logging

import pytest

from tests.conftest import PIECES
from tests.presets.tokenizers import NORMALIZER, SPECIAL, full, settings, tokenizer_of, with_vocabulary
from tinybert_tf.models import BertEncoder, BertTokenizer


@pytest.mark.parametrize(
    "rules",
    [
        {"strip_accents": False},
        {"lowercase": False, "strip_accents": True},
        {"tokenize_chinese_chars": False},
        {"lowercase": False, "clean_text": False},
    ],
    ids=str,
)
def test_each_rule_is_read_from_both_files_and_comes_back_from_ours(make_encoder, folder, tmp_path, rules):
    expected = BertTokenizer(PIECES, sequence_length=24, **rules)
    encoder = make_encoder(tokenizer=expected)
    encoder.save_to_preset(tmp_path / "again")
    assert BertEncoder.from_preset(tmp_path / "again").tokenizer.get_config() == expected.get_config()
    theirs = {"tokenize_chinese_chars": "handle_chinese_chars"}
    full(folder, normalizer=NORMALIZER | {theirs.get(name, name): value for name, value in rules.items()})
    (folder / "tokenizer_config.json").unlink()
    assert tokenizer_of(folder).normalization == expected.normalization


def test_a_missing_normalizer_changes_nothing_but_white_space(folder):
    (folder / "tokenizer_config.json").unlink()
    full(folder, normalizer=None)
    for both in (True, False):
        assert not any(tokenizer_of(folder).normalization.values())
        if both:
            (folder / "vocab.txt").unlink()


CASED = [*SPECIAL, "Berlin", "the", "##s", "Été", "a"]
UNCASED = [*SPECIAL, "berlin", "the", "##s", "[Unused1]", "<URL>", "été"]


@pytest.mark.parametrize(("pieces", "lowercase"), [(CASED, False), (UNCASED, True), ([*SPECIAL, "中", "文"], True)])
def test_the_vocabulary_tells_the_casing_if_no_file_does(folder, pieces, lowercase):
    with_vocabulary(folder, pieces)
    (folder / "tokenizer_config.json").unlink()
    assert tokenizer_of(folder).lowercase is lowercase
    full(folder, pieces, normalizer=...)
    assert tokenizer_of(folder).lowercase is lowercase
    (folder / "vocab.txt").unlink()
    assert tokenizer_of(folder).lowercase is lowercase
    full(folder, pieces, normalizer=NORMALIZER | {"lowercase": not lowercase})
    assert tokenizer_of(folder).lowercase is not lowercase


def test_a_few_capitals_make_no_cased_vocabulary(folder):
    with_vocabulary(folder, [*SPECIAL, "URL", *(f"##{i}" for i in range(400))])
    (folder / "tokenizer_config.json").unlink()
    assert tokenizer_of(folder).lowercase


@pytest.mark.parametrize(
    ("pieces", "lowercase", "warning"),
    [
        (CASED, True, "texts are lower-cased as its folder says, but 2 of 10 pieces have capitals, such as 'Berlin'"),
        (UNCASED, False, "texts keep their capitals as its folder says, but no piece has one"),
        (CASED, False, None),
        (UNCASED, True, None),
        ([*SPECIAL, "ب", "##س", "a"], False, None),
    ],
)
def test_a_casing_that_contradicts_the_vocabulary_is_warned_of_once(folder, caplog, pieces, lowercase, warning):
    with_vocabulary(folder, pieces)
    settings(folder, do_lower_case=lowercase)
    with caplog.at_level(logging.WARNING, "absl"):
        assert tokenizer_of(folder).lowercase is lowercase
    assert len(caplog.messages) == (warning is not None) and (warning or "") in "".join(caplog.messages)
