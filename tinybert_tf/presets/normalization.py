"""What a folder's files say about the normalisation of texts, above all whether they are lower-cased."""

from pathlib import Path

from absl import logging

from tinybert_tf.errors import InputError
from tinybert_tf.presets.content import Vocabulary

# Share of pieces with capitals that makes a vocabulary a cased one. A cased English one has a third of them; an
# uncased one has none but a few markers that somebody wrote into it.
CASED_SHARE = 0.005
# Our names, and theirs in tokenizer_config.json and in the normalizer of tokenizer.json.
_NAMES = {
    "lowercase": ("do_lower_case", "lowercase"),
    "strip_accents": ("strip_accents", "strip_accents"),
    "tokenize_chinese_chars": ("tokenize_chinese_chars", "handle_chinese_chars"),
    "clean_text": ("clean_text", "clean_text"),
}


def normalization_of(file: Path, settings: dict, full_file: Path, full: dict, vocabulary: Vocabulary) -> dict:
    """Returns what to do to texts, as arguments of `BertTokenizer`.

    The normalizer of `tokenizer.json` says it, or else `tokenizer_config.json`. The vocabulary says whether to
    lower-case if neither does.

    Args:
        file: Path of `tokenizer_config.json`.
        settings: Its content; empty if there is none.
        full_file: Path of `tokenizer.json`.
        full: Its content; empty if there is none.
        vocabulary: The vocabulary.

    Raises:
        InputError: The two files say different things, or things that a BERT does not do.
    """
    found = _normalizer(full_file, full)
    accents = found.get("strip_accents")
    said = {"strip_accents": found.get("lowercase") if accents is None else accents} if found else {}
    for ours, (theirs, _) in _NAMES.items():
        value = settings.get(theirs)
        if value is None:
            continue
        if value not in (True, False):
            raise InputError("preset", f"{file} with {theirs} {value!r}", "true or false")
        expected = (found | said).get(ours)
        if expected is not None and bool(value) != expected:
            expected = f"{expected}, as the normalizer of {full_file.name} says"
            raise InputError("preset", f"{file} with {theirs} {bool(value)}", expected)
        found.setdefault(ours, bool(value))
    _choose_casing(found, vocabulary)
    return {name: value for name, value in found.items() if value is not None}


def _normalizer(file: Path, content: dict) -> dict[str, bool | None]:
    """Returns the settings of a `tokenizer.json`'s normalizer, by our names; none if it does not mention one."""
    if "normalizer" not in content:
        return {}
    normalizer = content["normalizer"]
    if normalizer is None:
        return dict.fromkeys(_NAMES, False)
    kind = normalizer.get("type") if isinstance(normalizer, dict) else normalizer
    if kind != "BertNormalizer":
        raise InputError("preset", f"{file} with a normalizer {kind!r}", "BertNormalizer, or none (null)")
    found = {ours: normalizer[theirs] for ours, (_, theirs) in _NAMES.items() if theirs in normalizer}
    for ours, value in found.items():
        if value not in (True, False) and not (ours == "strip_accents" and value is None):
            raise InputError("preset", f"{file} with a normalizer's {_NAMES[ours][1]} {value!r}", "true or false")
    return found


def _choose_casing(found: dict[str, bool | None], vocabulary: Vocabulary) -> None:
    """Adds the casing if no file says it, and warns if the vocabulary speaks against what they say."""
    words = [piece for piece in vocabulary.pieces if not (piece[:1] in "[<" and piece[-1:] in "]>")]
    capitals = [piece for piece in words if piece.lower() != piece]
    is_cased = len(capitals) >= max(1, CASED_SHARE * len(vocabulary.pieces))
    example = f"{len(capitals)} of {len(vocabulary.pieces)} pieces have capitals, such as {(capitals or ['none'])[0]!r}"
    if "lowercase" not in found:
        found["lowercase"] = not is_cased
        if is_cased:
            logging.info("%s is read as cased: %s.", vocabulary.file, example)
    elif found["lowercase"] and is_cased:
        logging.warning("%s: texts are lower-cased as its folder says, but %s.", vocabulary.file, example)
    elif not found["lowercase"] and not capitals and sum(piece.isascii() for piece in words) > len(words) / 2:
        logging.warning("%s: texts keep their capitals as its folder says, but no piece has one.", vocabulary.file)
