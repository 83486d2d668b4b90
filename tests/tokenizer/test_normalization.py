"""Combinations of what happens to text before it is cut into WordPieces, against Hugging Face's `tokenizers`."""

import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from tokenizers import models, normalizers

from tests.tokenizer.test_tokenizer import HOSTILE, SPECIAL, differing, random_texts, without_listed
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertTokenizer
from tinybert_tf.tflite.tokenizer import bert_tokenizer

NAMES = ("lowercase", "strip_accents", "tokenize_chinese_chars", "clean_text")
# Half of all combinations, in which every three settings have all of theirs.
COMBINATIONS = [
    dict(zip(NAMES, (*values, sum(values) % 2 == 1))) for values in itertools.product([True, False], repeat=3)
]
TEXTS = [
    *HOSTILE.split("|"),
    "Ärger über Öl, ÇA VA? Ñandú Ő",
    "İstanbul'da IŞIK ılık",
    "東京タワーへ行った。2020年",
    "한국어를 배웁니다, 각각 뷁",
    "中文 ABC混在、한글",
    "ab\x1cc\x0bd\x0ce\x85f\u2028g\0h\ufffdi\ue000j\u200bk",
    "が か\u3099 パ ハ\u309a ﾊﾟ",
    "é" * 101 + " x" + "中" * 101 + " " + "語" * 100,
]


def both(texts, **rules):
    """Our tokenizer and theirs, with all that normalised texts are made of as pieces: no [UNK] hides a difference."""
    lowercase, strip_accents, _, clean_text = rules.values()
    normalizer = normalizers.BertNormalizer(clean_text, False, strip_accents, lowercase)
    found = sorted(set("".join(map(normalizer.normalize_str, texts))) - set(" "))
    vocabulary = [*SPECIAL, *found, *(f"##{c}" for c in found if c != "#"), "##"]
    return BertTokenizer(vocabulary, **rules), bert_tokenizer(vocabulary, **rules)


@pytest.mark.parametrize("rules", COMBINATIONS, ids=lambda rules: "-".join(name for name in NAMES if rules[name]))
def test_combinations_agree_with_hugging_face(rules):
    tokenizers = both(TEXTS, **rules)
    assert differing(TEXTS, *tokenizers) == []
    texts = without_listed(random_texts(500, seed=2))
    assert differing(texts, *both(texts, **rules)) == []


def test_accents_follow_the_casing_by_default():
    for lowercase in (True, False):
        tokenizer = BertTokenizer([*SPECIAL, "a"], lowercase)
        assert tokenizer.strip_accents is lowercase
        assert tokenizer.normalization == {
            "lowercase": lowercase,
            "strip_accents": lowercase,
            "tokenize_chinese_chars": True,
            "clean_text": True,
        }


def test_hangul_is_taken_apart_only_where_accents_are_stripped():
    """NFD makes letters (jamo) of a syllable, as in transformers: an uncased vocabulary needs pieces of jamo."""
    vocabulary = [*SPECIAL, "한", "##국", "ᄒ", "##ᅡ", "##ᆫ", "##ᄀ", "##ᅮ", "##ᆨ", "中", "国"]
    for strip_accents, ids in ((True, [6, 7, 8, 9, 10, 11, 12, 13]), (False, [4, 5, 12, 13])):
        tokenizer = BertTokenizer(vocabulary, True, strip_accents=strip_accents)
        assert tokenizer.tokenize(["한국中国"]).to_list() == [ids]


@pytest.mark.parametrize("rules", [{}, {"tokenize_chinese_chars": False}])
def test_the_last_of_equal_pieces_counts(rules):
    vocabulary = ["a", *SPECIAL, "##b", "", "a", "##b", "", "[UNK]", "##"]
    texts = ["a ab x", "", "abb #"]
    tokenizer, theirs = BertTokenizer(vocabulary, **rules), bert_tokenizer(vocabulary, True, **rules)
    assert tokenizer.tokenize(texts).to_list() == [[7, 7, 8, 10], [], [7, 8, 8, 10]]
    assert differing(texts, tokenizer, theirs) == []


@pytest.mark.parametrize(
    "lines", ["a\n##b\na\n##b \n", "\u2028\n##\u2028\n##\na\n\nb\n\n", "a\r\n\r\nA\r\na\r\n", "a\x85b\nc\x0b\n ##d\n"]
)
def test_vocabularies_with_odd_lines_are_read_as_hugging_face_reads_them(tmp_path, lines):
    file = tmp_path / "vocab.txt"
    file.write_bytes(("\n".join(SPECIAL) + "\n" + lines).encode())
    theirs = models.WordPiece.read_file(str(file))
    ours = BertTokenizer.from_file(file)
    assert {piece: i for i, piece in enumerate(ours.vocabulary)} == theirs
    ours.save(tmp_path / "saved.txt")
    assert models.WordPiece.read_file(str(tmp_path / "saved.txt")) == theirs


def test_a_byte_order_mark_is_no_part_of_the_first_piece(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join([*SPECIAL, "a"]), encoding="utf-8-sig")
    assert BertTokenizer.from_file(tmp_path / "vocab.txt").vocabulary == [*SPECIAL, "a"]


def test_a_saved_model_and_a_configuration_keep_the_rules(tmp_path):
    vocabulary = [*SPECIAL, "é", "中", "##文", "ü", "##b"]
    tokenizer = BertTokenizer(vocabulary, True, 9, strip_accents=False, tokenize_chinese_chars=False, takes_pairs=False)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(tokenizer)))
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == tokenizer.get_config() and not copy.takes_pairs
    module = tf.Module()
    module.tokenize = tf.function(copy, input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(tmp_path))
    found = tf.saved_model.load(str(tmp_path)).tokenize(tf.constant(["É 中文 Üb", ""]))
    np.testing.assert_array_equal(found["token_ids"], [[2, 4, 5, 6, 7, 8, 3], [2, 3, 0, 0, 0, 0, 0]])


def test_a_model_of_one_segment_takes_no_pairs():
    tokenizer = BertTokenizer([*SPECIAL, "a"], takes_pairs=False)
    assert tokenizer(["a"])["token_ids"].numpy().tolist() == [[2, 4, 3]]
    with pytest.raises(InputError, match=r"text_pairs: got second texts; expected one text per row: .* one segment"):
        tokenizer(["a"], ["a"])
