"""`tokenizer.json`: a tokenizer as Hugging Face's `tokenizers` reads it, in any of its languages."""

from collections.abc import Sequence

from tinybert_tf.presets.content import FolderContent
from tinybert_tf.tokenizer import BertTokenizer


def tokenizer_json(tokenizer: BertTokenizer, content: FolderContent) -> dict:
    """Returns the content of a folder's `tokenizer.json`, which gives the ids that `BertTokenizer` gives.

    It has no added tokens: a text that holds "[SEP]" is a text of three words, as it is to `BertTokenizer`.

    Args:
        tokenizer: The model's tokenizer.
        content: What the folder will hold, in the names of the model's family.
    """
    ids, names = _ids(content.vocabulary), content.tokenizer_config
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": tokenizer.clean_text,
            "handle_chinese_chars": tokenizer.tokenize_chinese_chars,
            "strip_accents": tokenizer.strip_accents,
            "lowercase": tokenizer.lowercase,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "BertProcessing",
            "sep": [names["sep_token"], ids[names["sep_token"]]],
            "cls": [names["cls_token"], ids[names["cls_token"]]],
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": names["unk_token"],
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": ids,
        },
    }


def _ids(vocabulary: Sequence[str]) -> dict[str, int]:
    """Returns the id of each piece; the last place counts for one that stands in several."""
    return {piece: place for place, piece in enumerate(vocabulary)}
