"""The files that say how texts become ids, for tests."""

import json

from tests.conftest import PIECES
from tests.presets.folders import change_json
from tinybert_tf.presets.resolve import open_preset

SPECIAL = PIECES[:5]
NORMALIZER = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True}
NORMALIZER |= {"strip_accents": None, "lowercase": True}
ADDED = [{"id": i, "content": token, "special": True} for i, token in enumerate(SPECIAL)]


def template(*parts):
    """A template of `tokenizer.json`: special tokens, and texts A and B, each with its segment."""
    kinds = [("Sequence" if part in "AB" else "SpecialToken", part, number) for part, number in parts]
    return [{kind: {"id": part, "type_id": number}} for kind, part, number in kinds]


SINGLE = [("[CLS]", 0), ("A", 0), ("[SEP]", 0)]
PAIR = [*SINGLE, ("B", 1), ("[SEP]", 1)]
PROCESSOR = {"type": "TemplateProcessing", "single": template(*SINGLE), "pair": template(*PAIR)}


def model_of(pieces, **changes):
    model = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##"}
    model |= {"max_input_chars_per_word": 100, "vocab": {piece: i for i, piece in enumerate(pieces)}}
    return model | changes


def full(folder, pieces=PIECES, **changes):
    """Writes a tokenizer.json as transformers does; `...` takes a part away."""
    content = {"truncation": None, "padding": None, "added_tokens": ADDED, "normalizer": NORMALIZER}
    content |= {"pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": PROCESSOR, "decoder": None}
    content |= {"model": model_of(pieces)} | changes
    content = {key: value for key, value in content.items() if value is not ...}
    (folder / "tokenizer.json").write_text(json.dumps(content))


def settings(folder, **changes):
    change_json(folder / "tokenizer_config.json", **changes)


def tokenizer_of(folder):
    return open_preset(folder, load_weights=False).tokenizer


def with_vocabulary(folder, pieces):
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    change_json(folder / "config.json", vocab_size=len(pieces))
